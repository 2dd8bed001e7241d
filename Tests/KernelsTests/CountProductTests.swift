import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// Spike counts times INT8 codes: exact sums, whatever the size of the counts.
  @Suite struct CountProductTests {
    struct Case {
      let weight: QuantizedWeight
      let tokens: Int
      var counts: [Int32]
      let thresholds, bias: [Float]
      let countStride, outputStride: Int

      init(
        rows: Int, columns: Int, tokens: Int, _ granularity: ScaleGranularity, largest: Int32
      ) {
        weight = randomInt8(rows: rows, columns: columns, granularity, seed: 31)
        self.tokens = tokens
        (countStride, outputStride) = (columns + 1, rows + 2)
        var random = Random(32)
        // Gaps hold counts that would show.
        counts = [Int32](repeating: 1 << 30, count: tokens * countStride)
        for t in 0..<tokens {
          for c in 0..<columns { counts[t * countStride + c] = .random(in: -9...9, using: &random) }
          // Some tokens have a few large counts, as massive activations do.
          guard t % 3 == 0 else { continue }
          for _ in 0..<4 {
            let c = Int.random(in: 0..<columns, using: &random)
            counts[t * countStride + c] = .random(in: -largest...largest, using: &random)
          }
        }
        thresholds = random.normals(tokens).map { abs($0) + 0.1 }
        bias = random.normals(rows)
      }

      typealias Product = (
        QuantizedWeight, UnsafePointer<Float>?, UnsafePointer<Int32>, Int?, UnsafePointer<Float>,
        Int,
        UnsafeMutablePointer<Float>, Int?
      ) -> Void

      func run(_ product: Product, bias hasBias: Bool = true) -> [Float] {
        var output = poisoned(tokens * outputStride)
        bias.withUnsafeBufferPointer { bias in
          product(
            weight, hasBias ? bias.baseAddress : nil, counts, countStride, thresholds, tokens,
            &output, outputStride)
        }
        return output
      }

      /// Both forms of the product, whichever `applyCounts` prefers.
      func runBoth(_ body: (String, [Float]) -> Void) {
        body("apply", run(QuantizedLinear.applyCounts))
        for many in [false, true] {
          var missing = false
          let output = run { weight, bias, counts, stride, thresholds, tokens, output, outStride in
            let digits = CountDigits(
              counts, countStride: stride ?? 0, tokens: tokens, columns: weight.columns,
              groupSize: weight.groupSize)
            let call = CountCall(
              weight: weight, bias: bias, digits: digits, thresholds: thresholds, output: output,
              outputStride: outStride ?? 0)
            if many {
              guard call.canMultiply else {
                missing = true
                return
              }
              call.runProduct()
            } else {
              call.runDots()
            }
          }
          if !missing { body(many ? "product" : "dots", output) }
        }
      }
    }

    @Test(arguments: [Int32(9), 127, 128, 10_000, 40_000], Int8Tests.granularities)
    func matchesReference(largest: Int32, granularity: ScaleGranularity) {
      for (rows, columns) in Int8Tests.sizes {
        for tokens in [1, 2, 4, 19] {
          let product = Case(
            rows: rows, columns: columns, tokens: tokens, granularity, largest: largest)
          let expected = product.run(QuantizedLinear.referenceCounts)
          forEachInstructionSet { set in
            product.runBoth { name, output in
              #expect(
                sameGaps(
                  output, expected, rows: rows, stride: product.outputStride, tolerance: 1e-6),
                "\(set) \(name) \(rows) \(columns) \(tokens)")
            }
          }
        }
      }
    }

    /// The dot products of every level, with byte dot products and without: codes and digits at
    /// their extremes, where products of bytes saturate if they are paired in 16 bits. Powers of two
    /// as scales leave every result exact.
    @Test(arguments: [1, 3, 4, 5], [(1, 1), (5, 63), (6, 64), (9, 200)])
    func dotsOfEveryLevelAreExact(tokens: Int, size: (rows: Int, columns: Int)) {
      let (rows, columns) = size
      var random = Random(44)
      let extremes: [Int8] = [-127, -127, 127, 127, 0, 1]
      let codes = (0..<rows * columns).map { _ in
        UInt8(bitPattern: extremes.randomElement(using: &random) ?? 0)
      }
      let counts: [Int32] = (0..<tokens * columns).map { _ in
        [-128, -128, 127, 127, 0].randomElement(using: &random) ?? 0
      }
      for granularity in [ScaleGranularity.channel, .group(32)] {
        let scales = (0..<rows * granularity.scales(columns: columns)).map { _ in
          Float(sign: .plus, exponent: .random(in: -2...2, using: &random), significand: 1)
        }
        let weight = QuantizedWeight(
          codes: unalignedView(codes, type: .int8, shape: [rows, columns]), scales: scales,
          WeightQuantization(.int8, granularity))
        let thresholds = [Float](repeating: 0.5, count: tokens)
        var expected = poisoned(tokens * rows)
        QuantizedLinear.referenceCounts(
          weight, counts: counts, thresholds: thresholds, tokens: tokens, output: &expected)
        forEachInstructionSet { set in
          let digits = CountDigits(
            counts, countStride: columns, tokens: tokens, columns: columns,
            groupSize: weight.groupSize)
          var output = poisoned(tokens * rows)
          output.withUnsafeMutableBufferPointer { output in
            guard let output = output.baseAddress else { return }
            thresholds.withUnsafeBufferPointer { thresholds in
              guard let thresholds = thresholds.baseAddress else { return }
              CountCall(
                weight: weight, bias: nil, digits: digits, thresholds: thresholds, output: output,
                outputStride: rows
              ).runDots()
            }
          }
          #expect(output == expected, "\(set) \(granularity)")
        }
      }
    }

    /// Sums of a group are exact: with scale 1 and threshold 1 the results are integers.
    @Test(arguments: [Int32(1), 127, -128, 128, 10_000, -10_000, 16_383])
    func sumsAreExactIntegers(count: Int32) {
      // 127 · 16,383 < 2^24 for few channels, which float32 holds exactly.
      for columns in [1, 7] {
        let weight = QuantizedWeight(
          codes: unalignedView(
            [UInt8](repeating: UInt8(bitPattern: -127), count: 2 * columns), type: .int8,
            shape: [2, columns]), scales: [1, 1], WeightQuantization(.int8, .channel))
        let counts = [Int32](repeating: count, count: columns)
        forEachInstructionSet { set in
          var output = poisoned(2)
          QuantizedLinear.applyCounts(
            weight, counts: counts, thresholds: [1], tokens: 1, output: &output)
          let exact = Float(-127 * Int(count) * columns)
          #expect(output == [exact, exact], "\(set)")
        }
      }
    }

    /// The stated bound: a group of 65,536 inputs, every code and digit extreme.
    @Test func largestGroupDoesNotOverflow() {
      let columns = 65_536
      for code in [Int8(-127), 127] {
        let weight = QuantizedWeight(
          codes: unalignedView(
            [UInt8](repeating: UInt8(bitPattern: code), count: columns), type: .int8,
            shape: [1, columns]), scales: [0x1p-20], WeightQuantization(.int8, .channel))
        for count in [Int32(-128), 127, 10_000] {
          let counts = [Int32](repeating: count, count: columns * 13)
          let exact = Double(code) * Double(count) * Double(columns) * 0x1p-20
          forEachInstructionSet { set in
            for tokens in [1, 13] {
              var output = poisoned(tokens)
              QuantizedLinear.applyCounts(
                weight, counts: counts, thresholds: [Float](repeating: 1, count: tokens),
                tokens: tokens, output: &output)
              #expect(
                output.allSatisfy { abs(Double($0) - exact) <= 1e-6 * abs(exact) },
                "\(set) \(code) \(count) \(tokens)")
            }
          }
        }
      }
    }

    /// What a spiking layer computes in float32 from the same numbers.
    @Test func equalsFloatSimulation() {
      let product = Case(rows: 64, columns: 320, tokens: 20, .group(128), largest: 3000)
      var inputs = [Float](repeating: 0, count: product.counts.count)
      for t in 0..<product.tokens {
        for c in 0..<320 {
          let i = t * product.countStride + c
          inputs[i] = Float(product.counts[i]) * product.thresholds[t]
        }
      }
      var expected = poisoned(20 * product.outputStride)
      product.bias.withUnsafeBufferPointer { bias in
        QuantizedLinear.apply(
          product.weight, bias: bias.baseAddress, input: inputs, inputStride: product.countStride,
          tokens: 20, output: &expected, outputStride: product.outputStride)
      }
      let output = product.run(QuantizedLinear.applyCounts)
      #expect(
        sameGaps(output, expected, rows: 64, stride: product.outputStride, tolerance: 1e-5))
    }

    /// Skipping silent channels changes nothing.
    @Test(arguments: [Int32(9), 10_000], Int8Tests.granularities)
    func eventDrivenProducts(largest: Int32, granularity: ScaleGranularity) {
      for (rows, columns) in Int8Tests.sizes + [(300, 70)] {
        for silence in [0.0, 0.6, 1] {
          var product = Case(
            rows: rows, columns: columns, tokens: 3, granularity, largest: largest)
          var random = Random(40)
          for i in product.counts.indices where .random(in: 0..<1, using: &random) < silence {
            product.counts[i] = 0
          }
          let expected = product.run(QuantizedLinear.referenceCounts)
          let events = EventWeight(product.weight)
          forEachInstructionSet { set in
            let output = product.run { _, bias, counts, stride, thresholds, tokens, output, out in
              events.applyCounts(
                bias: bias, counts: counts, countStride: stride, thresholds: thresholds,
                tokens: tokens, output: output, outputStride: out)
            }
            #expect(
              sameGaps(
                output, expected, rows: rows, stride: product.outputStride, tolerance: 1e-6),
              "\(set) \(rows) \(columns) \(silence)")
          }
        }
      }
    }

    @Test func digitsSumToCounts() {
      let counts: [Int32] = [
        0, 1, -1, 127, 128, -128, -129, 255, 32_639, 32_640, -32_896, -32_897, 8_355_711,
        8_355_712, -8_421_504, -8_421_505, QuantizedLinear.largestCount,
        -QuantizedLinear.largestCount,
      ]
      for count in counts {
        let digits = CountDigits(
          [count], countStride: 1, tokens: 1, columns: 1, groupSize: 1)
        let sum = (0..<digits.rows).reduce(0) {
          $0 + Int(digits.digits[$1 * digits.stride]) << (8 * $1)
        }
        #expect(sum == Int(count))
        #expect(digits.extras.map(\.digit) == Array(1..<digits.rows))
        #expect(
          (0..<digits.rows).allSatisfy { row in
            digits.offsets[row] == -128 * Int32(digits.digits[row * digits.stride])
          })
        withExtendedLifetime(digits) {}
      }
    }
  }
}
