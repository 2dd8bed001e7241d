import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// Agreement with PyTorch and with GPTQ as published: Tests/Reference/kernels/make_int8.py.
  @Suite struct Int8GoldenTests {
    @Test func roundingAndIntegerProducts() throws {
      let (rows, columns, tokens, size) = (7, 300, 6, 128)
      var golden = try Golden("int8")
      let weights = golden.floats(rows * columns), scales = golden.floats(rows * 3)
      let codes = golden.take(rows * columns, of: Int8.self)
      let counts = golden.take(tokens * columns, of: Int32.self)
      let thresholds = golden.floats(tokens)
      let expected = golden.take(tokens * rows, of: Double.self).map { Float($0) }
      let weight = QuantizedWeight(
        codes: unalignedView(
          codes.map { UInt8(bitPattern: $0) }, type: .int8, shape: [rows, columns]),
        scales: scales, WeightQuantization(.int8, .group(size)))
      forEachInstructionSet { set in
        for row in 0..<rows {
          for group in 0..<3 {
            let inputs = group * size..<min(columns, (group + 1) * size)
            var rounded = [Int8](repeating: -128, count: inputs.count)
            weights.withUnsafeBufferPointer { weights in
              guard let start = weights.baseAddress else { return }
              CodeRounding(.int8).round(
                start + row * columns + inputs.lowerBound, count: inputs.count,
                scale: scales[row * 3 + group], into: &rounded)
            }
            #expect(
              rounded[...]
                == codes[row * columns..<(row + 1) * columns][
                  row * columns + inputs.lowerBound..<row * columns + inputs.upperBound], "\(set)")
          }
        }
        var output = poisoned(tokens * rows)
        QuantizedLinear.applyCounts(
          weight, counts: counts, thresholds: thresholds, tokens: tokens, output: &output)
        #expect(relativeError(output, expected) < 1e-6, "\(set)")
      }
    }

    /// Ours uses no inverse and searches scales: it must not be worse than the published form.
    @Test func secondOrderRoundingReachesPublishedErrors() throws {
      var golden = try Golden("int8")
      _ = golden.take(7 * 300 * 5 + 7 * 3 * 4 + 6 * 300 * 4 + 6 * 4 + 6 * 7 * 8, of: UInt8.self)
      let inputs = golden.floats(160 * 96), values = golden.floats(8 * 96)
      let published = golden.take(3, of: Double.self)
      #expect(golden.remaining == 0)
      let gram = Gram(features: 96, targets: 0)
      gram.add(inputs, rows: 160)
      let weight = MemoryStorage.view(values, shape: [8, 96])
      func error(_ method: QuantizedWeight.Method) -> Double {
        var rounded = poisoned(8 * 96)
        QuantizedWeight(rounding: weight, WeightQuantization(.int8, .group(32)), method: method)
          .decode(rows: 0..<8, into: &rounded)
        return
          (gram.power(of: zip(values, rounded).map { $0 - $1 }, rows: 8)
          / gram.power(of: values, rows: 8)).squareRoot()
      }
      #expect(abs(error(.nearest) / published[0] - 1) < 1e-3)
      let feedback = try RoundingFeedback(gram, damping: published[2])
      #expect(error(.secondOrder(feedback)) < published[1] * 1.01)
    }
  }
}
