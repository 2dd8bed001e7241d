import Foundations
import Kernels
import Runtime

/// Directions around which vectors lie: spherical k-means, started by k-means++.
///
/// The direction common to all vectors is taken out first. What is left tells them apart, and as the
/// found directions are orthogonal to the common one, direction · vector of the vectors as they are
/// needs no offset: a router without bias chooses the nearest direction.
struct SphericalClusters {
  /// Unit vectors [N, H].
  let directions: FloatMatrix

  /// Rounds after which vectors that still change their cluster are let be.
  private static let mostRounds = 50

  /// `count` directions of the rows of `vectors` [T, H], T at least 1.
  init(of vectors: FloatMatrix, count: Int, generator: inout SplitMix64) {
    let points = vectors.copy
    points.makeRowsUnit()
    points.removeCommonDirection()
    points.makeRowsUnit()
    var directions = SphericalClusters.start(points, count, &generator)
    var chosen = [Int](repeating: -1, count: points.rows)
    for _ in 0..<SphericalClusters.mostRounds {
      let scores = FloatMatrix.product(points, transposed: directions)
      let nearest = scores.largestPlaces
      if nearest == chosen { break }
      chosen = nearest
      directions = SphericalClusters.means(points, chosen, scores, count: count)
    }
    self.directions = directions
  }

  /// Points far from each other: each is drawn with a chance proportional to its squared distance
  /// from the nearest one drawn before.
  private static func start(
    _ points: FloatMatrix, _ count: Int, _ generator: inout SplitMix64
  ) -> FloatMatrix {
    let starts = FloatMatrix(rows: count, columns: points.columns)
    var distances = [Double](repeating: .infinity, count: points.rows)
    var next = Int.random(in: 0..<points.rows, using: &generator)
    for index in 0..<count {
      let start = starts.rows(index..<index + 1)
      start.copyRows(of: points.rows(next..<next + 1), to: 0)
      let scores = FloatMatrix.product(points, transposed: start)
      for row in distances.indices {
        distances[row] = min(distances[row], max(0, 1 - Double(scores[row][0])))
      }
      var rest = generator.unit() * distances.reduce(0, +)
      next =
        distances.indices.first {
          rest -= distances[$0]
          return rest < 0
        } ?? 0
    }
    return starts
  }

  /// The mean directions of the clusters; an empty one starts again at the point that lies worst.
  private static func means(
    _ points: FloatMatrix, _ chosen: [Int], _ scores: FloatMatrix, count: Int
  ) -> FloatMatrix {
    let means = FloatMatrix(rows: count, columns: points.columns).zeros
    var sizes = [Int](repeating: 0, count: count)
    for cluster in chosen { sizes[cluster] += 1 }
    means.add(points, toRows: chosen)
    let empty = sizes.indices.filter { sizes[$0] == 0 }
    if !empty.isEmpty {
      let worst = chosen.indices.sorted {
        (scores[$0][chosen[$0]], $0) < (scores[$1][chosen[$1]], $1)
      }
      for (cluster, row) in zip(empty, worst) {
        means.copyRows(of: points.rows(row..<row + 1), to: cluster)
      }
    }
    means.makeRowsUnit()
    return means
  }
}

extension FloatMatrix {
  /// The place of the largest element of every row, the first of equal ones.
  var largestPlaces: [Int] { (0..<rows).map { argmax(ofRow: $0) } }

  /// Scales every row to length 1; rows of zeros stay.
  func makeRowsUnit() {
    scaleRows(
      by: (0..<rows).map {
        let square = rows($0..<$0 + 1).squaredNorm
        return square > 0 ? Float(1 / square.squareRoot()) : 1
      })
  }

  /// Makes every row orthogonal to the mean of the rows.
  fileprivate func removeCommonDirection() {
    let common = FloatMatrix(rows: 1, columns: columns).zeros
    common.addColumnSums(of: self)
    common.makeRowsUnit()
    let shares = FloatMatrix.product(self, transposed: common)
    for row in 0..<rows { rows(row..<row + 1).add(common, times: -shares[row][0]) }
  }
}
