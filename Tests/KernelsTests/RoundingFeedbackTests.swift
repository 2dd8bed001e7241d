import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct RoundingFeedbackTests {
    /// Inputs that depend on each other, as activations do.
    static func gram(features: Int, rows: Int, seed: UInt64) -> Gram {
      var random = Random(seed)
      let mixing = random.normals(features * features, deviation: 0.3)
      let causes = random.normals(rows * features)
      var inputs = [Float](repeating: 0, count: rows * features)
      MatrixProduct.multiply(
        .plain, causes, mixing, m: rows, n: features, k: features, into: &inputs)
      let gram = Gram(features: features, targets: 0)
      gram.add(inputs, rows: rows)
      return gram
    }

    /// (U + 1) D (U + 1)ᵀ is the damped matrix.
    @Test(arguments: [1, 5, 70])
    func factorsTheMoments(size: Int) throws {
      let gram = Self.gram(features: size, rows: 200, seed: 3)
      let feedback = try RoundingFeedback(gram, damping: 0.05)
      let mean = (0..<size).reduce(0) { $0 + gram.element($1, $1) } / Double(size)
      func upper(_ i: Int, _ j: Int) -> Double {
        i == j ? 1 : Double(feedback.upper[i * size + j])
      }
      for i in 0..<size {
        for j in 0..<size {
          let product = (max(i, j)..<size).reduce(0.0) {
            $0 + upper(i, $1) * Double(feedback.importance[$1]) * upper(j, $1)
          }
          let expected = gram.element(i, j) + (i == j ? 0.05 * mean : 0)
          #expect(abs(product - expected) < 1e-5 * gram.element(0, 0))
        }
      }
    }

    /// Rounding with feedback against the plain loop over all earlier errors, and its worth.
    @Test(arguments: [(9, 40), (33, 300)], [ScaleGranularity.group(32), .group(256), .channel])
    func matchesPlainLoop(sizes: (Int, Int), granularity: ScaleGranularity) throws {
      let (rows, columns) = sizes
      let gram = Self.gram(features: columns, rows: 400, seed: 4)
      let feedback = try RoundingFeedback(gram)
      let weight = randomTensor(.float32, rows: rows, columns: columns, seed: 5)
      let rounded = QuantizedWeight(
        rounding: weight, WeightQuantization(.int8, granularity), method: .secondOrder(feedback))
      var values = poisoned(rows * columns)
      RowDecoder.decode(weight, rows: 0..<rows, into: &values)
      var differences = 0
      for row in 0..<rows {
        var errors = [Double](repeating: 0, count: columns)
        for c in 0..<columns {
          let wish = (0..<c).reduce(Double(values[row * columns + c])) {
            $0 + errors[$1] * Double(feedback.upper[$1 * columns + c])
          }
          let scale = Double(rounded.scales[row * rounded.groups + c / rounded.groupSize])
          let code = min(127, max(-127, (wish / scale).rounded(.toNearestOrEven)))
          let got = Int8(bitPattern: rounded.codes.bytes[row * columns + c])
          // Float32 sums may fall on the other side of a tie.
          if Double(got) != code {
            differences += 1
            #expect(abs(Double(got) - wish / scale) < 0.501)
          }
          errors[c] = Double(values[row * columns + c]) - Double(got) * scale
        }
      }
      #expect(differences <= rows * columns / 500)

      func error(_ method: QuantizedWeight.Method) -> Double {
        let rounded = QuantizedWeight(
          rounding: weight, WeightQuantization(.int8, granularity), method: method)
        var result = poisoned(rows * columns)
        rounded.decode(rows: 0..<rows, into: &result)
        return gram.power(of: zip(values, result).map { $0 - $1 }, rows: rows)
          / gram.power(of: values, rows: rows)
      }
      let diagonal = (0..<columns).map { Float(gram.element($0, $0)) }
      let nearest = error(.nearest), searched = error(.search(importance: diagonal))
      let secondOrder = error(.secondOrder(feedback))
      #expect(secondOrder < 0.6 * nearest && secondOrder < searched)
    }

    @Test func codesDoNotDependOnThreads() throws {
      let gram = Self.gram(features: 140, rows: 300, seed: 8)
      let weight = randomTensor(.bfloat16, rows: 70, columns: 140, seed: 9)
      var seen: [UInt8] = []
      try forEachThreadCount([1, 3]) { _ in
        let rounded = QuantizedWeight(
          rounding: weight, WeightQuantization(.int8, .group(128)),
          method: .secondOrder(try RoundingFeedback(gram)))
        #expect(!rounded.codes.bytes.contains(0x80))
        if seen.isEmpty { seen = Array(rounded.codes.bytes) }
        #expect(Array(rounded.codes.bytes) == seen)
      }
    }

    @Test func powerIsTheSumOfSquaredOutputs() {
      var random = Random(10)
      let inputs = random.normals(50 * 30), weights = random.normals(7 * 30)
      let gram = Gram(features: 30, targets: 0)
      gram.add(inputs, rows: 50)
      var outputs = poisoned(50 * 7)
      MatrixProduct.multiply(.transposedRight, inputs, weights, m: 50, n: 7, k: 30, into: &outputs)
      let expected = outputs.reduce(0.0) { $0 + Double($1) * Double($1) }
      #expect(abs(gram.power(of: weights, rows: 7) - expected) < 1e-5 * expected)
    }
  }
}
