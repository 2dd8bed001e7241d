/// For every row of two matrices of the same size: how far they are apart, and how long they are.
public struct RowDistances {
  /// |a - b|² per row.
  public let squaredDistances: [Float]
  /// |b|² per row.
  public let squaredNorms: [Float]

  public init(_ a: FloatMatrix, from b: FloatMatrix) {
    a.requireSize(of: b)
    let rows = a.rows, columns = a.columns
    var distances = [Float](repeating: 0, count: rows), norms = distances
    withExtendedLifetime((a, b)) {
      distances.withUnsafeMutableBufferPointer { distances in
        norms.withUnsafeMutableBufferPointer { norms in
          nonisolated(unsafe) let distances = distances, norms = norms
          Parallel.ranges(rows, minimum: 1 + (1 << 18) / max(1, columns)) { range in
            for row in range {
              (distances[row], norms[row]) = RowDistances.sums(a.row(row), b.row(row), columns)
            }
          }
        }
      }
    }
    squaredDistances = distances
    squaredNorms = norms
  }

  /// Sums in 16 lanes: a single running sum of floats cannot be vectorised.
  private static func sums(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int
  ) -> (distance: Float, norm: Float) {
    var distance = SIMD16<Float>.zero, norm = SIMD16<Float>.zero
    let whole = count / 16 * 16
    for start in stride(from: 0, to: whole, by: 16) {
      let x = UnsafeRawPointer(a + start).loadUnaligned(as: SIMD16<Float>.self)
      let y = UnsafeRawPointer(b + start).loadUnaligned(as: SIMD16<Float>.self)
      let difference = x - y
      distance += difference * difference
      norm += y * y
    }
    var sums = (distance: distance.sum(), norm: norm.sum())
    for index in whole..<count {
      sums.distance += (a[index] - b[index]) * (a[index] - b[index])
      sums.norm += b[index] * b[index]
    }
    return sums
  }
}
