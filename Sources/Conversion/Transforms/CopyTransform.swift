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
  public var summary: String {
    (view.type == type ? "copy" : "cast from \(view.type.rawValue)")
      + (view.rowOrder == .stored ? "" : ", rotary pairs de-interleaved")
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    if view.type != type {
      try cast(block: block, into: sink)
    } else if view.rowOrder != .stored {
      try gather(block: block, into: sink)
    } else {
      var start = 0
      while start < view.bytes.count {
        let end = min(start + block, view.bytes.count)
        let part = UnsafeRawBufferPointer(rebasing: view.bytes[start..<end])
        try sink(part)
        view.storage.discard(part)
        start = end
      }
    }
  }

  /// Copies permuted rows one by one.
  private func gather(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let rowsPerBlock = max(1, block / max(view.rowBytes, 1))
    let buffer = MemoryStorage(count: rowsPerBlock * view.rowBytes)
    for first in stride(from: 0, to: view.rows, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, view.rows)
      for row in rows {
        UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[((row - first) * view.rowBytes)...])
          .copyMemory(from: view.row(row))
      }
      try sink(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<(rows.count * view.rowBytes)]))
    }
    view.discard()
  }

  /// Decodes rows to f32 and encodes them in the output type.
  private func cast(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    // A block holds the f32 rows and their encoding.
    let rowsPerBlock = max(1, block / max(view.columns * (4 + type.blockBytes), 1))
    let values = MemoryStorage(count: rowsPerBlock * view.columns * 4)
    let floats = values.bytes.bindMemory(to: Float.self)
    let encoded = MemoryStorage(count: rowsPerBlock * view.columns * type.blockBytes)
    guard let first = floats.baseAddress, let target = encoded.bytes.baseAddress else { return }
    for start in stride(from: 0, to: view.rows, by: rowsPerBlock) {
      let rows = start..<min(start + rowsPerBlock, view.rows)
      let count = rows.count * view.columns
      RowDecoder.decode(view, rows: rows, into: first)
      if type == .float16 { try checkRange(floats[..<count]) }
      FloatCast.encode(first, count: count, as: type, into: target)
      try sink(UnsafeRawBufferPointer(rebasing: encoded.bytes[..<(count * type.blockBytes)]))
      if view.rowOrder == .stored {
        let used = rows.lowerBound * view.rowBytes..<rows.upperBound * view.rowBytes
        view.storage.discard(UnsafeRawBufferPointer(rebasing: view.bytes[used]))
      }
    }
    view.discard()
  }

  private func checkRange(_ values: Slice<UnsafeMutableBufferPointer<Float>>) throws {
    // float16 rounds what is at least halfway to 65536 to infinity.
    if let large = values.first(where: { $0.isFinite && $0.magnitude >= 65_520 }) {
      throw ConversionError.overflow(tensor: source, value: large, type: type)
    }
  }
}
