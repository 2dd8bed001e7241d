import CKernels
import TensorTypes

extension LinearCall {
  /// Types whose rows the kernel reads as they are stored.
  private static let readInPlace: Set<ScalarType> = [
    .float32, .bfloat16, .float16, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .q4_K, .q5_K, .q6_K,
  ]

  /// Rows decoded at a time when the kernel cannot read the type itself: they stay in the
  /// first-level cache.
  private static var decodedRows: Int { 4 }

  /// Multiply-adds per thread below which handing them over costs more than it gives.
  private static var productsWorthAThread: Int { 1 << 17 }
  private static var decodedProductsWorthAThread: Int { 1 << 16 }

  /// Few tokens: dot products of the weight rows as they are stored.
  ///
  /// One pass over the weights, which is what costs.
  func runDots() {
    let prepared = ck_prepared_count(weight.columns)
    let type = weight.type
    let direct = Self.readInPlace.contains(type) && !weight.isAltered
    let code = direct ? type.kernelCode : Int32(CK_F32)
    withScratch(prepared * tokens) { x in
      for t in 0..<tokens {
        ck_prepare(code, input + t * inputStride, x + t * prepared, weight.columns)
      }
      let worthAThread = direct ? Self.productsWorthAThread : Self.decodedProductsWorthAThread
      let minimum = 1 + worthAThread / max(1, weight.columns * tokens)
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
        type: code, rows: base, stride: stride, count: rows.count, columns: weight.columns),
      ck_rows(values: x, stride: ck_prepared_count(weight.columns), count: tokens),
      bias.map { $0 + rows.lowerBound },
      ck_output(values: output + rows.lowerBound, stride: outputStride))
  }

  private func decodeAndDot(_ rows: Range<Int>, _ x: UnsafePointer<Float>) {
    let columns = weight.columns
    withScratch(Self.decodedRows * columns) { scratch in
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.decodedRows) {
        let block = first..<min(rows.upperBound, first + Self.decodedRows)
        RowDecoder.decode(weight, rows: block, into: scratch)
        dot(Int32(CK_F32), scratch, stride: columns * 4, rows: block, x)
      }
    }
  }
}
