public import TensorTypes

/// Copies stored tensor rows into another storage type.
public enum RowTranscoder {
  /// Elements widened at a time: they stay in the first-level cache.
  private static let blockElements = 4096

  /// Writes logical rows `rows` of `view` as `type` to `output` [rows.count, view.columns].
  ///
  /// Rows that already have the type and are not altered are copied bit for bit, quantised ones too.
  /// All others go through float32 (`RowDecoder`, then `FloatCast`), which rounds float64 twice.
  ///
  /// - Precondition: `view.type == type` and not altered, or `RowDecoder.supports(view.type)` and
  ///   `FloatCast.canEncode(type)`.
  public static func transcode(
    _ view: TensorView, rows: Range<Int>, as type: ScalarType, into output: UnsafeMutableRawPointer
  ) {
    if view.type == type, !view.isAltered { return copy(view, rows: rows, into: output) }
    let rowBytes = view.columns * type.blockBytes
    // What an adapter adds is decoded for each block.
    let elements = view.merge?.update == nil ? blockElements : 64 * blockElements
    let step = max(1, elements / max(1, view.columns))
    withScratch(step * view.columns) { scratch in
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
        let block = first..<min(rows.upperBound, first + step)
        RowDecoder.decode(view, rows: block, into: scratch)
        FloatCast.encode(
          scratch, count: block.count * view.columns, as: type,
          into: output + (first - rows.lowerBound) * rowBytes)
      }
    }
  }

  private static func copy(
    _ view: TensorView, rows: Range<Int>, into output: UnsafeMutableRawPointer
  ) {
    view.forEachRun(in: rows) { run in
      let target = output + (run.first - rows.lowerBound) * view.rowBytes
      if run.stride == view.rowBytes {
        target.copyMemory(from: run.base, byteCount: run.count * view.rowBytes)
      } else {
        for row in 0..<run.count {
          (target + row * view.rowBytes).copyMemory(
            from: run.base + row * run.stride, byteCount: view.rowBytes)
        }
      }
    }
  }
}
