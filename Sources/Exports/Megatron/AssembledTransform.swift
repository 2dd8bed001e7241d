public import Checkpoints
import Conversion
import ModelFiles
import TensorTypes

extension TransformRecord.Kind {
  /// Rows and columns of several sources.
  public static let assembled: Self = "assembled"
}

/// A tensor put together from rows of others, or from some columns of their rows, each piece copied
/// byte for byte or cast.
struct AssembledTransform: TensorTransform {
  /// Rows of one source tensor, where a vector has a row per element.
  struct Piece {
    /// The tensor, which is looked at when the piece is made.
    var address: TensorAddress
    /// Its name in its file.
    var name: String
    /// Its type there.
    var type: ScalarType
    /// The rows.
    var rows: Range<Int>
    /// The columns that are taken.
    var columns: Range<Int>
    /// How often the rows are repeated.
    var copies: Int
  }

  let file: ModelFile
  let pieces: [Piece]
  let type: ScalarType
  /// What is put together, without the types.
  let rule: TransformRecord

  var sources: [String] {
    pieces.reduce(into: []) { names, piece in
      if !names.contains(piece.name) { names.append(piece.name) }
    }
  }

  var record: TransformRecord {
    var record = rule
    record.cast(from: pieces.map(\.type), to: type)
    return record
  }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    for piece in pieces {
      let parts = try file.rows(piece.rows, of: piece.address)
      for _ in 0..<piece.copies {
        for part in parts { try produce(part, piece, block: block, into: sink) }
      }
    }
  }

  private func produce(
    _ part: TensorView, _ piece: Piece, block: Int,
    into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let copy = CopyTransform(part, named: piece.name, as: type)
    let elements = part.columns, rowBytes = max(1, elements * type.blockBytes)
    guard piece.columns.count < elements else { return try copy.produce(block: block, into: sink) }
    // Blocks of whole rows, so that columns can be cut out of them.
    let rowsPerBlock = max(1, block / rowBytes)
    let wanted = piece.columns.count * type.blockBytes
    let start = piece.columns.lowerBound * type.blockBytes
    let buffer = MemoryStorage(count: min(rowsPerBlock, part.rows) * wanted)
    try copy.produce(block: rowsPerBlock * rowBytes) { rows in
      var end = 0
      for row in stride(from: start, to: rows.count, by: rowBytes) {
        let cut = UnsafeRawBufferPointer(rebasing: rows[row..<row + wanted])
        UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[end...]).copyMemory(from: cut)
        end += wanted
      }
      try sink(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<end]))
    }
    withExtendedLifetime(buffer) {}
  }
}
