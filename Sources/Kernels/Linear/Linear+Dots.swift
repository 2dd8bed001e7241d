import CKernels
import TensorTypes

extension LinearCall {
  /// Types whose rows the kernel reads as they are stored, whatever the number of tokens.
  private static let floats: Set<ScalarType> = [.float32, .bfloat16, .float16]
  /// Types of blocks whose rows the kernel reads as they are stored for a token or two: it takes each
  /// block apart for each of them.
  private static let blocks: Set<ScalarType> = [
    .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .q4_K, .q5_K, .q6_K,
  ]

  /// Whether the kernel reads the rows as they are stored.
  private var readsInPlace: Bool {
    guard quantized == nil, !weight.isAltered else { return false }
    return Self.floats.contains(weight.type)
      || Self.blocks.contains(weight.type) && tokens <= Linear.fewTokensOfBlocks
  }

  /// Rows decoded at a time when the kernel does not read them as they are: they stay in the
  /// first-level cache, or in the second for several tokens, which share their inputs.
  private var decodedRows: Int { tokens > 2 ? 16 : 4 }

  /// Multiply-adds per thread below which handing them over costs more than it gives.
  private static var productsWorthAThread: Int { 1 << 17 }
  private static var decodedProductsWorthAThread: Int { 1 << 16 }

  /// Few tokens: dot products of the weight rows as they are stored.
  ///
  /// One pass over the weights, which is what costs.
  func runDots() {
    let columns = columns, prepared = ck_prepared_count(columns)
    let direct = readsInPlace
    let code = direct ? weight.type.kernelCode : Int32(CK_F32)
    withScratch(prepared * tokens) { x in
      for t in 0..<tokens {
        ck_prepare(code, input + t * inputStride, x + t * prepared, columns)
      }
      let worthAThread = direct ? Self.productsWorthAThread : Self.decodedProductsWorthAThread
      let minimum = 1 + worthAThread / max(1, columns * tokens)
      Parallel.ranges(weight.rows, granularity: 16, minimum: minimum) { rows in
        if direct {
          weight.forEachRun(in: rows) { run in
            dot(code, run.base, stride: run.stride, rows: run.first..<run.first + run.count, x)
          }
        } else {
          decodeAndDot(rows, x)
        }
      }
    }
  }

  private func dot(
    _ code: Int32, _ base: UnsafeRawPointer, stride: Int, rows: Range<Int>,
    _ x: UnsafePointer<Float>
  ) {
    ck_dot_rows(
      Execution.isa,
      ck_stored_rows(
        type: code, rows: base, stride: stride, count: rows.count, columns: columns),
      ck_rows(values: x, stride: ck_prepared_count(columns), count: tokens),
      bias.map { $0 + rows.lowerBound },
      ck_output(values: output + rows.lowerBound, stride: outputStride))
  }

  private func decodeAndDot(_ rows: Range<Int>, _ x: UnsafePointer<Float>) {
    let columns = columns, step = decodedRows
    withScratch(step * columns) { scratch in
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
        let block = first..<min(rows.upperBound, first + step)
        decode(block, into: scratch)
        dot(Int32(CK_F32), scratch, stride: columns * 4, rows: block, x)
      }
    }
  }
}
