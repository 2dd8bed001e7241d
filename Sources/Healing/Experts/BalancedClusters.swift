import Foundations
import Kernels
import Runtime

/// Clusters of equal size: spherical k-means that fills the clusters in every round, the pair of
/// point and direction that fits best first.
struct BalancedClusters {
  /// The points of each cluster, in ascending order.
  let members: [[Int]]

  /// Rounds after which points that still change their cluster are let be.
  private static let mostRounds = 20

  /// `count` clusters of the rows of `vectors` [n, R]; `count` divides n.
  init(of vectors: FloatMatrix, count: Int, generator: inout SplitMix64) {
    let points = vectors.copy
    points.makeRowsUnit()
    var directions = SphericalClusters(of: points, count: count, generator: &generator).directions
    var owners: [Int] = []
    for _ in 0..<Self.mostRounds {
      let scores = FloatMatrix.product(points, transposed: directions)
      let found = Self.owners(scores, room: points.rows / count)
      if found == owners { break }
      owners = found
      directions = FloatMatrix(rows: count, columns: points.columns).zeros
      directions.add(points, toRows: owners)
      directions.makeRowsUnit()
    }
    members = owners.indices.reduce(into: [[Int]](repeating: [], count: count)) {
      $0[owners[$1]].append($1)
    }
  }

  /// The cluster of each row of `scores` [n, N], with `room` rows in each.
  private static func owners(_ scores: FloatMatrix, room: Int) -> [Int] {
    withExtendedLifetime(scores) {
      let values = scores.elements, count = scores.columns
      let order = (0..<scores.count).sorted {
        values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1]
      }
      var owners = [Int](repeating: -1, count: scores.rows)
      var rooms = [Int](repeating: room, count: count)
      for place in order where owners[place / count] < 0 && rooms[place % count] > 0 {
        owners[place / count] = place % count
        rooms[place % count] -= 1
      }
      return owners
    }
  }
}
