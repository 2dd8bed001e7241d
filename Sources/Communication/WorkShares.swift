/// Which rank does which of several pieces of work, such as files to write: the largest first, each
/// to the rank that has least so far. All ranks find the same.
public struct WorkShares: Sendable {
  /// The rank of each piece, in their order.
  public let owners: [Int]
  /// The work of each rank.
  public let totals: [Int]

  /// Distributes pieces of the given `sizes` over `ranks` ranks.
  public init(_ sizes: [Int], ranks: Int) {
    var owners = [Int](repeating: 0, count: sizes.count)
    var totals = [Int](repeating: 0, count: max(1, ranks))
    let largestFirst = sizes.indices.sorted { (sizes[$1], $0) < (sizes[$0], $1) }
    for piece in largestFirst {
      let rank = totals.indices.min { (totals[$0], $0) < (totals[$1], $1) } ?? 0
      owners[piece] = rank
      totals[rank] += sizes[piece]
    }
    self.owners = owners
    self.totals = totals
  }
}
