public import Checkpoints
import Kernels
public import TensorTypes

/// A source tensor as it is, or cast to another type.
///
/// Equal types are copied byte for byte; rows that the source permutes are put in logical order.
public struct CopyTransform: TensorTransform {
  let view: TensorView
  let source: String
  let type: ScalarType

  /// A copy of `view`, called `source` in its file, as `type`.
  public init(_ view: TensorView, named source: String, as type: ScalarType) {
    self.view = view
    self.source = source
    self.type = type
  }

  public var sources: [String] { [source] }
  public var record: TransformRecord { TransformRecord(copying: view, as: type) }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard view.type != type || view.rowOrder != .stored || view.isAltered else {
      return try produceStored(block: block, into: sink)
    }
    let rowBytes = type.byteCount(elements: view.columns) ?? 0
    let rowsPerBlock = max(1, block / max(rowBytes, 1))
    let buffer = MemoryStorage(count: min(rowsPerBlock, view.rows) * rowBytes)
    for first in stride(from: 0, to: view.rows, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, view.rows)
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(rows.count * rowBytes)])
      guard let start = part.baseAddress else { continue }
      RowTranscoder.transcode(view, rows: rows, as: type, into: start)
      try checkOverflow(UnsafeRawBufferPointer(part), firstRow: first)
      try sink(UnsafeRawBufferPointer(part))
      if view.rowOrder == .stored { view.slice(rows: rows).discard() }
    }
    withExtendedLifetime(buffer) {}
    view.discard()
  }

  private func produceStored(
    block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var start = 0
    while start < view.bytes.count {
      let end = min(start + block, view.bytes.count)
      let part = UnsafeRawBufferPointer(rebasing: view.bytes[start..<end])
      // Read while this block is written and hashed.
      view.storage.prefetch(UnsafeRawBufferPointer(rebasing: view.bytes[end...].prefix(block)))
      try sink(part)
      view.storage.discard(part)
      start = end
    }
  }

  /// Refuses finite values that `type` rounds to infinity. What is not finite in the source is for
  /// whoever writes it to refuse.
  private func checkOverflow(_ encoded: UnsafeRawBufferPointer, firstRow: Int) throws {
    guard let index = NotFinite.firstIndex(in: encoded, as: type) else { return }
    let row = firstRow + index / view.columns, column = index % view.columns
    var values = [Float](repeating: 0, count: view.columns)
    RowDecoder.decode(view, rows: row..<row + 1, into: &values)
    if values[column].isFinite {
      throw ConversionError.overflow(
        tensor: source, value: values[column], type: type, index: "[\(row), \(column)]")
    }
  }
}
