/// How a matrix product is cut into pieces for threads: C into a grid, or k into parts.
struct MatrixSplit: Equatable {
  var rows = 1
  var columns = 1
  var depth = 1

  /// Multiply-adds that are worth a thread of their own.
  static let workPerPiece = 1 << 21
  /// Sides of C below which packing the operands costs OpenBLAS too much of its speed.
  static let side = 96
  /// Parts of k shorter than this are not worth a copy of C.
  static let depthPerPiece = 256

  init(rows: Int = 1, columns: Int = 1, depth: Int = 1) {
    self.rows = rows
    self.columns = columns
    self.depth = depth
  }

  /// The split for a product of these sizes.
  init(m: Int, n: Int, k: Int, threads: Int) {
    let work = Double(m) * Double(n) * Double(max(k, 1))
    let wanted = min(threads, max(1, Int(work / Double(Self.workPerPiece))))
    guard wanted > 1 else { return }
    // The grid with enough pieces that reads least: each piece reads its rows of A and its columns
    // of B.
    var least = Int.max
    for r in 1...wanted {
      let c = (wanted + r - 1) / r
      guard m / r >= Self.side || r == 1, n / c >= Self.side || c == 1 else { continue }
      let reads = c * m + r * n
      if reads < least {
        least = reads
        (rows, columns) = (r, c)
      }
    }
    if rows * columns == 1 { depth = max(1, min(wanted, k / Self.depthPerPiece)) }
  }

  /// Part `piece` of `pieces` of `0..<count`, cut at multiples of 16.
  static func range(_ count: Int, _ piece: Int, of pieces: Int) -> Range<Int> {
    let units = (count + 15) / 16
    let start = min(count, units * piece / pieces * 16)
    return start..<min(count, units * (piece + 1) / pieces * 16)
  }
}
