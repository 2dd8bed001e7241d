import TensorTypes
import Testing

@testable import Kernels

/// A random weight of 4-bit codes, packed, that lies at an odd address.
private func randomInt4(
  rows: Int, columns: Int, _ granularity: ScaleGranularity, seed: UInt64
) -> QuantizedWeight {
  var random = Random(seed)
  var codes = (0..<rows * columns / 2).map { _ in UInt8.random(in: 0...255, using: &random) }
  for i in 0..<min(codes.count, 4) { codes[i] = i < 2 ? 0xff : 0 }
  return QuantizedWeight(
    codes: unalignedView(codes, type: .uint8, shape: [rows, columns / 2]),
    scales: random.normals(rows * granularity.scales(columns: columns)).map { abs($0) + 0.01 },
    WeightQuantization(.int4, granularity))
}

extension KernelTests {
  /// Rounding to 4 bits, and products with codes of 4 bits, against their slow twins.
  @Suite struct Int4Tests {
    static let sizes = [(1, 2), (3, 30), (5, 64), (7, 130), (50, 576), (97, 160), (16, 1200)]

    @Test func `the even column lies in the lower half, each code plus 8`() {
      let weight = QuantizedWeight(
        codes: unalignedView([0x70, 0x8f], type: .uint8, shape: [1, 2]), scales: [2],
        WeightQuantization(.int4, .channel))
      #expect((0..<4).map { weight.code(0, $0) } == [-8, -1, 7, 0])
      let decoded = weight.decoded(rows: 0..<1)
      withExtendedLifetime(decoded) { #expect(Array(decoded.elements) == [-16, -2, 14, 0]) }
    }

    @Test(arguments: Int8Tests.granularities)
    func decoding(granularity: ScaleGranularity) {
      for (rows, columns) in Self.sizes {
        let weight = randomInt4(rows: rows, columns: columns, granularity, seed: 7)
        expectDecoding(weight)
      }
    }

    /// One to many tokens, so that all forms are used; gaps between tokens are left alone.
    @Test(arguments: Int8Tests.granularities)
    func floatProducts(granularity: ScaleGranularity) {
      var random = Random(8)
      for (rows, columns) in Self.sizes {
        let weight = randomInt4(rows: rows, columns: columns, granularity, seed: 9)
        expectFloatProducts(weight, tolerance: 3e-6, &random)
      }
    }

    @Test(arguments: Int8Tests.granularities)
    func countProducts(granularity: ScaleGranularity) {
      var random = Random(12)
      for (rows, columns) in Self.sizes {
        let weight = randomInt4(rows: rows, columns: columns, granularity, seed: 13)
        for tokens in [1, 4, 19] {
          let counts = (0..<tokens * columns).map { _ in
            Int32.random(in: -300...300, using: &random)
          }
          let thresholds = random.normals(tokens).map { abs($0) + 0.1 }
          var expected = poisoned(tokens * rows)
          QuantizedLinear.referenceCounts(
            weight, counts: counts, thresholds: thresholds, tokens: tokens, output: &expected)
          forEachInstructionSet { set in
            var output = poisoned(tokens * rows)
            QuantizedLinear.applyCounts(
              weight, counts: counts, thresholds: thresholds, tokens: tokens, output: &output)
            #expect(relativeError(output, expected) < 1e-6, "\(set) \(rows) \(columns) \(tokens)")
            let events = EventWeight(weight)
            output = poisoned(tokens * rows)
            events.applyCounts(
              counts: counts, thresholds: thresholds, tokens: tokens, output: &output)
            #expect(relativeError(output, expected) < 1e-6, "events, \(set) \(rows) \(columns)")
          }
        }
      }
    }

    @Test func `codes end at -8 and 7, scales are numbers of bfloat16`() {
      var random = Random(5)
      let rounding = CodeRounding(.int4)
      forEachInstructionSet { set in
        for count in [2, 16, 18, 128, 330] {
          var weights = random.normals(count, deviation: 0.03)
          weights[0] = 4
          weights[1] = -4
          var codes = [Int8](repeating: 100, count: count + 1), expected = codes
          rounding.round(weights, count: count, scale: 0.01, into: &codes)
          rounding.reference(weights, count: count, scale: 0.01, into: &expected)
          #expect(codes == expected, "\(set) \(count)")
          #expect(codes[0] == 7 && codes[1] == -8 && codes[count] == 100)
          for choice in [CodeRounding.ScaleChoice.nearest, .search] {
            let scale = rounding.round(weights, count: count, choice: choice, into: &codes)
            #expect(scale.bitPattern & 0xffff == 0 && scale > 0)
          }
        }
      }
    }

    /// The three ways of rounding, each closer than the one before on inputs that go together.
    @Test func `second-order rounding is closest`() throws {
      let rows = 24, columns = 256
      var random = Random(21)
      let weight = unalignedView(
        random.normals(rows * columns, deviation: 0.05).flatMap { value in
          withUnsafeBytes(of: value) { Array($0) }
        }, type: .float32, shape: [rows, columns])
      // Channels that share a part of their values.
      let inputs = FloatMatrix(rows: 512, columns: columns)
      for row in 0..<512 {
        let shared = random.normals(8)
        let own = random.normals(columns)
        for c in 0..<columns { inputs.elements[row * columns + c] = own[c] * 0.3 + shared[c % 8] }
      }
      let gram = Gram(features: columns, targets: 0)
      gram.add(inputs)
      let feedback = try RoundingFeedback(gram)
      let squares = (0..<columns).map { Float(gram.element($0, $0) / 512) }
      func error(_ method: QuantizedWeight.Method) -> Double {
        let rounded = QuantizedWeight(
          rounding: weight, WeightQuantization(.int4, .group(32)), method: method)
        let difference = rounded.decoded(rows: 0..<rows)
        difference.add(FloatMatrix(decoding: weight), times: -1)
        return gram.power(of: difference)
      }
      let nearest = error(.nearest), search = error(.search(importance: squares))
      let gptq = error(.secondOrder(feedback))
      #expect(search < nearest && gptq < 0.6 * search, "\(nearest) \(search) \(gptq)")
    }
  }
}
