import CKernels
public import TensorTypes

/// A number of a tensor that is NaN or infinite.
public struct NotFinite: Sendable, Equatable {
  /// Its logical row and column.
  public var row: Int
  public var column: Int
  /// The number.
  public var value: Float

  /// `[row, column]`.
  public var index: String { "[\(row), \(column)]" }

  /// The first in `view`, decoded; nil when all are finite, and for integers. Drops its mapped pages.
  public init?(in view: TensorView) {
    guard RowDecoder.supports(view.type) else { return nil }
    defer { view.discard() }
    let columns = view.columns, step = max(1, Self.blockElements / max(1, columns))
    let found = withScratch(min(step, view.rows) * columns) { block -> NotFinite? in
      for first in stride(from: 0, to: view.rows, by: step) {
        let rows = first..<min(first + step, view.rows)
        RowDecoder.decode(view, rows: rows, into: block)
        if let index = Vector.firstNotFinite(block, count: rows.count * columns) {
          return NotFinite(
            row: first + index / columns, column: index % columns, value: block[index])
        }
        if view.rowOrder == .stored { view.slice(rows: rows).discard() }
      }
      return nil
    }
    guard let found else { return nil }
    self = found
  }

  private init(row: Int, column: Int, value: Float) {
    self.row = row
    self.column = column
    self.value = value
  }

  /// Elements decoded at a time: more than a thread looks through, few beside any memory limit.
  private static let blockElements = 1 << 19

  /// The index of the first element in `bytes`, which hold numbers of `type`, that is NaN or
  /// infinite; nil when all are finite, and for types that are no plain floats.
  public static func firstIndex(in bytes: UnsafeRawBufferPointer, as type: ScalarType) -> Int? {
    guard let start = bytes.baseAddress else { return nil }
    let count = bytes.count / type.blockBytes
    let found =
      switch type {
      case .float32: ck_first_from_32(Execution.isa, start, 0x7f80_0000, count)
      case .bfloat16: ck_first_from_16(Execution.isa, start, 0x7f80, count)
      case .float16: ck_first_from_16(Execution.isa, start, 0x7c00, count)
      case .float64:
        (0..<count).first {
          !start.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self).isFinite
        } ?? count
      default: count
      }
    return found < count ? found : nil
  }
}
