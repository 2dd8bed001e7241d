public import Checkpoints
import Kernels
import StrictJSON
public import TensorTypes

extension TransformRecord.Kind {
  /// A source's values times a factor.
  public static let scaled: Self = "scaled"
}

/// A source tensor times a factor, its rows or columns repeated: the part of an expert that is made
/// from a dense layer.
public struct ScaledTransform: TensorTransform {
  let view: TensorView
  let source: String
  let factor: Float
  let rowRepeats: Int
  let columnRepeats: Int
  let type: ScalarType

  /// `factor` · `view`, called `source` in its file, as `type`.
  ///
  /// - Parameters:
  ///   - rowRepeats: how often all rows follow each other; a vector is lengthened.
  ///   - columnRepeats: how often every row is repeated within itself.
  public init(
    _ view: TensorView, named source: String, by factor: Float, rowRepeats: Int = 1,
    columnRepeats: Int = 1, as type: ScalarType
  ) {
    self.view = view
    self.source = source
    self.factor = factor
    self.rowRepeats = rowRepeats
    self.columnRepeats = columnRepeats
    self.type = type
  }

  public var sources: [String] { [source] }
  public var record: TransformRecord {
    var record = TransformRecord(.scaled, [("by", .float(factor))])
    if rowRepeats > 1 { record["rows_repeated"] = .int(rowRepeats) }
    if columnRepeats > 1 { record["columns_repeated"] = .int(columnRepeats) }
    record.read(view, as: type)
    return record
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let columns = view.columns * columnRepeats
    let rowBytes = columns * type.blockBytes
    let rowsPerBlock = max(1, block / max(2 * columns * 4, 1))
    let values = MemoryStorage(count: min(rowsPerBlock, view.rows) * columns * 4)
    let encoded = MemoryStorage(count: min(rowsPerBlock, view.rows) * rowBytes)
    guard let floats = values.bytes.bindMemory(to: Float.self).baseAddress,
      let target = encoded.bytes.baseAddress
    else { return }
    for _ in 0..<rowRepeats {
      for first in stride(from: 0, to: view.rows, by: rowsPerBlock) {
        let rows = first..<min(first + rowsPerBlock, view.rows)
        try fill(floats, rows: rows)
        let count = rows.count * columns
        FloatCast.encode(floats, count: count, as: type, into: target)
        let bytes = UnsafeRawBufferPointer(rebasing: encoded.bytes[..<(rows.count * rowBytes)])
        if let index = NotFinite.firstIndex(in: bytes, as: type), floats[index].isFinite {
          throw ConversionError.overflow(
            tensor: source, value: floats[index], type: type,
            index: "[\(first + index / columns), \(index % columns)]")
        }
        try sink(bytes)
        if view.rowOrder == .stored { view.slice(rows: rows).discard() }
      }
    }
    withExtendedLifetime((values, encoded)) {}
    view.discard()
  }

  /// Decodes rows, scales them and lays them out with their repetitions.
  private func fill(_ floats: UnsafeMutablePointer<Float>, rows: Range<Int>) throws {
    let columns = view.columns
    for (index, row) in rows.enumerated() {
      let start = floats + index * columns * columnRepeats
      RowDecoder.decode(view, rows: row..<row + 1, into: start)
      for column in 0..<columns { start[column] *= factor }
      for copy in 1..<max(columnRepeats, 1) {
        (start + copy * columns).update(from: start, count: columns)
      }
    }
  }
}
