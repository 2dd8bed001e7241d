import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct LinearTests {
    /// Few and many tokens, odd sizes, every type, with and without bias and extra stride.
    @Test(arguments: DecodingTests.types, [1, 2, 3, 4, 5, 9, 33, 70])
    func matchesReference(type: ScalarType, tokens: Int) {
      let columns = type.isQuantised ? 2 * type.blockElements : 77
      for (rows, order) in [
        (1, RowOrder.stored), (131, .stored), (36, .interleavedRotary(headDim: 12)),
      ] {
        let weight = randomTensor(type, rows: rows, columns: columns, rowOrder: order, seed: 3)
        var random = Random(4)
        let inputStride = columns + 3, outputStride = rows + 2
        let x = random.normals(tokens * inputStride), bias = random.normals(rows)
        var expected = poisoned(tokens * outputStride)
        Linear.reference(
          weight: weight, bias: bias, input: x, inputStride: inputStride, tokens: tokens,
          output: &expected, outputStride: outputStride)
        // The scale of rounding errors: the same sums over absolute values.
        var magnitudes = poisoned(expected.count)
        Linear.reference(
          weight: absolute(weight), bias: bias.map { abs($0) }, input: x.map { abs($0) },
          inputStride: inputStride, tokens: tokens, output: &magnitudes, outputStride: outputStride)
        forEachInstructionSet { set in
          var y = poisoned(tokens * outputStride)
          Linear.apply(
            weight: weight, bias: bias, input: x, inputStride: inputStride, tokens: tokens,
            output: &y, outputStride: outputStride)
          for t in 0..<tokens {
            let row = t * outputStride..<t * outputStride + rows
            #expect(
              row.allSatisfy { abs(y[$0] - expected[$0]) < 5e-7 * magnitudes[$0] },
              "\(set) \(rows) \(t)")
            #expect(y[row.upperBound].isNaN && y[row.upperBound + 1].isNaN, "wrote past a row")
          }
        }
      }
    }

    /// The absolute values of a matrix as stored-order float32.
    func absolute(_ view: TensorView) -> TensorView {
      var values = poisoned(view.rows * view.columns)
      RowDecoder.reference(view, rows: 0..<view.rows, into: &values)
      return MemoryStorage.view(values.map { abs($0) }, shape: view.shape)
    }

    @Test func largeMatrixOnSeveralThreads() {
      let weight = randomTensor(.bfloat16, rows: 3001, columns: 600, seed: 5)
      var random = Random(6)
      let x = random.normals(100 * 600)
      var expected = poisoned(100 * 3001)
      Linear.reference(weight: weight, input: x, tokens: 100, output: &expected)
      forEachThreadCount([1, 2, 5]) { count in
        for tokens in [1, 3, 40, 100] {
          var first = poisoned(tokens * 3001), second = first
          Linear.apply(weight: weight, input: x, tokens: tokens, output: &first)
          Linear.apply(weight: weight, input: x, tokens: tokens, output: &second)
          #expect(first == second, "not repeatable with \(count) threads")
          #expect(relativeError(first, Array(expected[..<(tokens * 3001)])) < 2e-6)
        }
      }
    }

    /// Exact weights and activations whose sums are exact in float32 give exact results: nothing
    /// is rounded to 16 bits on the way.
    @Test func activationsKeepTheirPrecision() {
      let columns = 64
      let x = (0..<columns).map { Float($0 * 4097 + 1) }
      for type in [ScalarType.bfloat16, .float16, .float32] {
        var bytes = [UInt8](repeating: 0, count: columns * type.blockBytes)
        FloatCast.encode(
          [Float](repeating: 1, count: columns), count: columns, as: type, into: &bytes)
        let weight = unalignedView(bytes, type: type, shape: [1, columns])
        forEachInstructionSet { set in
          for tokens in [1, 20, 80] {
            let input = [[Float]](repeating: x, count: tokens).flatMap { $0 }
            var y = poisoned(tokens)
            Linear.apply(weight: weight, input: input, tokens: tokens, output: &y)
            #expect(y == [Float](repeating: x.reduce(0, +), count: tokens), "\(set) \(type)")
          }
        }
      }
    }
  }
}
