import TensorTypes
import Testing

@testable import Kernels

/// A random INT8 weight whose codes lie at an odd address.
func randomInt8(
  rows: Int, columns: Int, _ granularity: ScaleGranularity, seed: UInt64
) -> QuantizedWeight {
  var random = Random(seed)
  var codes = (0..<rows * columns).map { _ in
    UInt8(bitPattern: Int8.random(in: -127...127, using: &random))
  }
  // Extremes side by side: what saturating instructions get wrong.
  for i in 0..<min(codes.count, 8) { codes[i] = UInt8(bitPattern: i < 4 ? 127 : -127) }
  return QuantizedWeight(
    codes: unalignedView(codes, type: .int8, shape: [rows, columns]),
    scales: random.normals(rows * granularity.scales(columns: columns)).map { abs($0) + 0.01 },
    WeightQuantization(.int8, granularity))
}

extension KernelTests {
  /// Rounding to INT8, and products with INT8 weights, against their slow twins.
  @Suite struct Int8Tests {
    static let granularities: [ScaleGranularity] = [.group(32), .group(128), .channel]
    static let sizes = [(1, 1), (3, 31), (5, 64), (7, 131), (50, 577), (97, 160), (16, 1200)]

    @Test func codesAreNearestAndClamped() {
      var random = Random(5)
      forEachInstructionSet { set in
        for count in [1, 15, 16, 17, 128, 331] {
          var weights = random.normals(count, deviation: 0.3)
          weights[0] = 4  // beyond the range of the scale below
          if count > 1 { weights[1] = -4 }
          var codes = [Int8](repeating: -128, count: count + 1), expected = codes
          CodeRounding(.int8).round(weights, count: count, scale: 0.01, into: &codes)
          CodeRounding(.int8).reference(weights, count: count, scale: 0.01, into: &expected)
          #expect(codes == expected, "\(set) \(count)")
          #expect(codes[0] == 127 && codes[count] == -128)
        }
      }
    }

    @Test func searchedScalesAreNotWorse() {
      var random = Random(6)
      func error(_ weights: [Float], _ importance: [Float], _ choice: CodeRounding.ScaleChoice)
        -> Double
      {
        var codes = [Int8](repeating: 0, count: weights.count)
        let scale = CodeRounding(.int8).round(
          weights, count: weights.count, importance: importance, choice: choice, into: &codes)
        return weights.indices.reduce(0.0) {
          let e = Double(weights[$1]) - Double(codes[$1]) * Double(scale)
          return $0 + Double(importance[$1]) * e * e
        }
      }
      var first: [Double] = []
      forEachInstructionSet { set in
        random = Random(6)
        var ratios: [Double] = []
        for count in [20, 128, 1000] {
          var weights = random.normals(count, deviation: 0.02)
          weights[3] = 0.4
          let importance = random.normals(count).map { $0 * $0 }
          ratios.append(error(weights, importance, .search) / error(weights, importance, .nearest))
        }
        #expect(ratios.allSatisfy { $0 < 1 }, "\(set)")
        // The largest weight far out: clamping it must pay with 1,000 weights.
        #expect(ratios[2] < 0.85)
        if first.isEmpty { first = ratios }
        #expect(ratios == first, "\(set)")
      }
    }

    @Test func extremeRunsHaveUsableScales() {
      var codes = [Int8](repeating: 5, count: 4)
      for choice in [CodeRounding.ScaleChoice.nearest, .search] {
        for (weights, largest) in [
          ([Float](repeating: 0, count: 4), Int8(0)), ([1e-40, 0, -1e-40, 0], 0),
          ([3e38, -3e38, 1e38, 0], 127), ([2e-36, 0, -1e-36, 0], 127),
        ] {
          let scale = CodeRounding(.int8).round(weights, count: 4, choice: choice, into: &codes)
          #expect(scale.isNormal && scale > 0)
          #expect(abs(Int(codes[0])) >= Int(largest) - 13 && (largest > 0 || codes[0] == 0))
        }
      }
    }

    @Test(arguments: granularities)
    func decoding(granularity: ScaleGranularity) {
      for (rows, columns) in Self.sizes {
        let weight = randomInt8(rows: rows, columns: columns, granularity, seed: 7)
        expectDecoding(weight)
      }
    }

    /// One to many tokens, so that both forms are used; gaps between tokens are left alone.
    @Test(arguments: granularities)
    func floatProducts(granularity: ScaleGranularity) {
      var random = Random(8)
      for (rows, columns) in Self.sizes {
        let weight = randomInt8(rows: rows, columns: columns, granularity, seed: 9)
        expectFloatProducts(weight, tolerance: 2e-6, &random)
      }
    }
  }
}

/// Expects every instruction set to decode `weight` as the specification does, and nothing beyond it.
func expectDecoding(_ weight: QuantizedWeight) {
  let rows = weight.rows, columns = weight.columns
  var expected = poisoned(rows * columns)
  weight.referenceDecode(rows: 0..<rows, into: &expected)
  forEachInstructionSet { set in
    var values = poisoned(rows * columns + 1)
    weight.decode(rows: 0..<rows, into: &values)
    #expect(Array(values.dropLast()) == expected && values[rows * columns].isNaN, "\(set)")
  }
}

/// Expects every instruction set to multiply `weight` with one to many tokens as the specification does,
/// and to leave the gaps between tokens alone.
func expectFloatProducts(_ weight: QuantizedWeight, tolerance: Double, _ random: inout Random) {
  let rows = weight.rows, columns = weight.columns
  let bias = random.normals(rows)
  for tokens in [1, 2, 3, 5, 40] {
    var input = random.normals(tokens * (columns + 3))
    for t in 0..<tokens { for g in 0..<3 { input[t * (columns + 3) + columns + g] = .nan } }
    var expected = poisoned(tokens * (rows + 2))
    bias.withUnsafeBufferPointer { bias in
      QuantizedLinear.reference(
        weight, bias: bias.baseAddress, input: input, inputStride: columns + 3, tokens: tokens,
        output: &expected, outputStride: rows + 2)
      forEachInstructionSet { set in
        var output = poisoned(tokens * (rows + 2))
        QuantizedLinear.apply(
          weight, bias: bias.baseAddress, input: input, inputStride: columns + 3, tokens: tokens,
          output: &output, outputStride: rows + 2)
        #expect(
          sameGaps(output, expected, rows: rows, stride: rows + 2, tolerance: tolerance),
          "\(set) \(rows) \(columns) \(tokens)")
      }
    }
  }
}

/// Whether rows agree and the gaps behind them are still poisoned.
func sameGaps(
  _ a: [Float], _ b: [Float], rows: Int, stride: Int, tolerance: Double
) -> Bool {
  guard a.count == b.count else { return false }
  var left: [Float] = [], right: [Float] = []
  for i in a.indices {
    if i % stride < rows {
      left.append(a[i])
      right.append(b[i])
    } else if !a[i].isNaN {
      return false
    }
  }
  return relativeError(left, right) <= tolerance
}
