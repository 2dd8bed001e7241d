import Conversion
import TensorTypes

/// A tensor put together from rows of others, or from some columns of their rows, each piece copied
/// byte for byte or cast.
struct AssembledTransform: TensorTransform {
  /// Rows of one source tensor.
  struct Piece {
    /// The rows, one element each in vectors.
    var view: TensorView
    /// The name of the tensor in its file.
    var name: String
    /// The columns that are taken.
    var columns: Range<Int>
    /// How often the rows are repeated.
    var copies: Int
  }

  let pieces: [Piece]
  let type: ScalarType
  /// What is put together, in words.
  let rule: String

  var sources: [String] {
    pieces.reduce(into: []) { names, piece in
      if !names.contains(piece.name) { names.append(piece.name) }
    }
  }

  var summary: String {
    let types = Set(pieces.map(\.view.type).filter { $0 != type }.map(\.rawValue)).sorted()
    return (types.isEmpty ? "" : "cast from \(types.joined(separator: ", ")): ") + rule
  }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    for piece in pieces { try produce(piece, block: block, into: sink) }
  }

  private func produce(
    _ piece: Piece, block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let copy = CopyTransform(piece.view, named: piece.name, as: type)
    let elements = piece.view.columns, rowBytes = max(1, elements * type.blockBytes)
    // Blocks of whole rows, so that columns can be cut out of them.
    let block = max(1, block / rowBytes) * rowBytes
    guard piece.columns.count < elements || piece.copies > 1 else {
      return try copy.produce(block: block, into: sink)
    }
    let wanted = piece.columns.count * type.blockBytes
    let start = piece.columns.lowerBound * type.blockBytes
    let buffer = MemoryStorage(count: block / rowBytes * wanted)
    for _ in 0..<piece.copies {
      try copy.produce(block: block) { rows in
        var end = 0
        for row in stride(from: start, to: rows.count, by: rowBytes) {
          let part = UnsafeRawBufferPointer(rebasing: rows[row..<row + wanted])
          UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[end...]).copyMemory(from: part)
          end += wanted
        }
        try sink(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<end]))
      }
    }
    withExtendedLifetime(buffer) {}
  }
}

extension TensorView {
  /// Rows `range`, where a vector has a row per element.
  ///
  /// - Precondition: rows that are stored in another order within heads are asked for by whole heads.
  func part(_ range: Range<Int>) -> TensorView {
    let isVector = shape.dimensions.count == 1
    let rows = isVector ? shape.columns : rows, columns = isVector ? 1 : columns
    let rowBytes = rows == 0 ? 0 : bytes.count / rows
    let part = bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]
    return TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: part), type: type, shape: [range.count, columns],
      rowOrder: rowOrder, storage: storage)
  }
}
