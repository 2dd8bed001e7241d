import CKernels
public import TensorTypes

/// Turns stored tensor rows of any floating-point or quantised type into float32.
public enum RowDecoder {
  /// Whether `decode` knows this type: floats and GGML blocks, not integers.
  public static func supports(_ type: ScalarType) -> Bool { type.isFloat || type.isQuantised }

  /// Decodes logical rows `rows` of `view` into `output` [rows.count, view.columns].
  ///
  /// Quantised values are those of the published GGML formats to the last bit; float64 is rounded
  /// to nearest. Then comes what an adapter adds, and last what the view rounds to. Runs on the caller's thread.
  ///
  /// - Precondition: `supports(view.type)`.
  public static func decode(
    _ view: TensorView, rows: Range<Int>, into output: UnsafeMutablePointer<Float>
  ) {
    precondition(supports(view.type))
    let columns = view.columns, isa = Execution.isa
    view.forEachRun(in: rows) { run in
      let target = output + (run.first - rows.lowerBound) * columns
      if run.stride == view.rowBytes {
        ck_decode(isa, view.type.kernelCode, run.base, target, run.count * columns)
      } else {
        for row in 0..<run.count {
          ck_decode(
            isa, view.type.kernelCode, run.base + row * run.stride, target + row * columns, columns)
        }
      }
    }
    if let update = view.merge?.update { add(update, rows: rows, columns: columns, to: output) }
    if let grid = view.grid { round(output, rows: rows, columns: columns, to: grid) }
    if let type = view.rounding { round(output, count: rows.count * columns, to: type) }
  }

  /// Adds rows of a product: summed over the rank first, in its order, and scaled then. In plain Swift,
  /// so that the result is the same on every processor.
  private static func add(
    _ update: LowRankUpdate, rows: Range<Int>, columns: Int, to output: UnsafeMutablePointer<Float>
  ) {
    let rank = update.rank, scale = update.scale
    withScratch(rank * (columns + 1) + columns) { right in
      let left = right + rank * columns, sum = left + rank
      decode(update.right, rows: 0..<rank, into: right)
      for (index, row) in rows.enumerated() {
        decode(update.left, rows: row..<row + 1, into: left)
        sum.update(repeating: 0, count: columns)
        for inner in 0..<rank {
          let factor = left[inner], line = right + inner * columns
          for column in 0..<columns { sum[column] += factor * line[column] }
        }
        let target = output + index * columns
        for column in 0..<columns { target[column] += scale * sum[column] }
      }
    }
  }

  /// Rounds rows in place to multiples of their scales.
  private static func round(
    _ values: UnsafeMutablePointer<Float>, rows: Range<Int>, columns: Int, to grid: ScaleGrid
  ) {
    let isa = Execution.isa
    for (index, row) in rows.enumerated() {
      for first in stride(from: 0, to: columns, by: grid.groupSize) {
        let start = values + index * columns + first
        ck_spike_values(
          isa, start, grid.scale(row: row, group: first / grid.groupSize), start,
          min(grid.groupSize, columns - first))
      }
    }
  }

  /// Rounds `count` values in place to what `type` can hold.
  private static func round(
    _ values: UnsafeMutablePointer<Float>, count: Int, to type: ScalarType
  ) {
    precondition(type.isFloat)
    withScratch(count) { encoded in
      let bytes = UnsafeMutableRawPointer(encoded)
      // float64 holds every float32: there is nothing to round.
      guard type.blockBytes <= MemoryLayout<Float>.stride else { return }
      FloatCast.encode(values, count: count, as: type, into: bytes)
      ck_decode(Execution.isa, type.kernelCode, bytes, values, count)
    }
  }
}

extension ScalarType {
  /// What the C kernels call this type; -1 for types without a decoder.
  var kernelCode: Int32 {
    switch self {
    case .float32: Int32(CK_F32)
    case .float64: Int32(CK_F64)
    case .float16: Int32(CK_F16)
    case .bfloat16: Int32(CK_BF16)
    case .q8_0: Int32(CK_Q8_0)
    case .q4_0: Int32(CK_Q4_0)
    case .q4_1: Int32(CK_Q4_1)
    case .q5_0: Int32(CK_Q5_0)
    case .q5_1: Int32(CK_Q5_1)
    case .q4_K: Int32(CK_Q4_K)
    case .q5_K: Int32(CK_Q5_K)
    case .q6_K: Int32(CK_Q6_K)
    case .q2_K: Int32(CK_Q2_K)
    case .q3_K: Int32(CK_Q3_K)
    case .iq4_nl: Int32(CK_IQ4_NL)
    case .iq4_xs: Int32(CK_IQ4_XS)
    case .mxfp4: Int32(CK_MXFP4)
    case .tq1_0: Int32(CK_TQ1_0)
    case .tq2_0: Int32(CK_TQ2_0)
    case .iq1_s: Int32(CK_IQ1_S)
    case .iq1_m: Int32(CK_IQ1_M)
    case .iq2_xxs: Int32(CK_IQ2_XXS)
    case .iq2_xs: Int32(CK_IQ2_XS)
    case .iq2_s: Int32(CK_IQ2_S)
    case .iq3_xxs: Int32(CK_IQ3_XXS)
    case .iq3_s: Int32(CK_IQ3_S)
    case .int64, .int32, .int16, .int8, .uint8, .bool, .float8_e4m3, .float8_e5m2: -1
    }
  }
}

extension TensorView {
  /// All elements as f32 values, row-major.
  public var floats: [Float] {
    let count = rows * columns
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let start = buffer.baseAddress {
        RowDecoder.decode(self, rows: 0..<rows, into: start)
      }
      initialized = count
    }
  }
}
