/// How a matrix product is cut into pieces for threads: C into a grid, or k into parts.
struct MatrixSplit: Equatable {
  var rows = 1
  var columns = 1
  var depth = 1

  /// Multiply-adds that are worth a thread of their own.
  static let workPerThread = 1 << 19
  /// Multiply-adds of a piece when there are more pieces than threads.
  static let workPerPiece = 1 << 24
  /// Pieces per thread of a large product: a thread that shares its CPU with another program then
  /// leaves its share to the others instead of keeping them waiting.
  static let piecesPerThread = 4
  /// Sides of C below which packing the operands costs a product too much of its speed.
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
    let wanted = min(threads, Int(work / Double(Self.workPerThread)))
    guard wanted > 1 else { return }
    // As many pieces for every thread, or one would wait for another's last.
    let most = min(Self.piecesPerThread, Int(work / Double(Self.workPerPiece)) / threads)
    for each in stride(from: most, through: 2, by: -1)
    where setGrid(m, n, pieces: each * threads, side: 2 * Self.side) { return }
    for pieces in stride(from: wanted, through: 2, by: -1)
    where setGrid(m, n, pieces: pieces, side: Self.side) {
      // Few large pieces of C lose against many parts of k only when threads would stay idle.
      if pieces > wanted / 2 || k / Self.depthPerPiece <= pieces { return }
    }
    (rows, columns, depth) = (1, 1, max(1, min(wanted, k / Self.depthPerPiece)))
  }

  /// The grid of so many pieces that reads least: each piece reads its rows of A and its columns
  /// of B. False when the sides of the pieces would be too short.
  private mutating func setGrid(_ m: Int, _ n: Int, pieces: Int, side: Int) -> Bool {
    var least = Int.max
    for r in 1...pieces where pieces % r == 0 {
      let c = pieces / r
      guard m / r >= side || r == 1, n / c >= side || c == 1 else { continue }
      let reads = c * m + r * n
      if reads < least {
        least = reads
        (rows, columns) = (r, c)
      }
    }
    return least < .max
  }

  /// Part `piece` of `pieces` of `0..<count`, cut at multiples of 16.
  static func range(_ count: Int, _ piece: Int, of pieces: Int) -> Range<Int> {
    let units = (count + 15) / 16
    let start = min(count, units * piece / pieces * 16)
    return start..<min(count, units * (piece + 1) / pieces * 16)
  }
}
