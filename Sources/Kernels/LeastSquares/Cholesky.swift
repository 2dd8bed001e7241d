import COpenBLAS

/// Symmetric float64 matrices, of which the upper triangle of row-major storage is read: column-
/// major LAPACK's lower one.
enum Cholesky {
  /// Overwrites the triangle of `matrix` [size, size] with its Cholesky factor.
  static func factor(_ matrix: inout [Double], size: Int) throws(LeastSquaresError) {
    let info = matrix.withUnsafeMutableBufferPointer {
      ob_dpotrf(Int32(size), $0.baseAddress, Int32(size))
    }
    guard info == 0 else { throw .notPositiveDefinite(order: Int(info)) }
    // OpenBLAS lets NaN pass as a pivot.
    for i in 0..<size where !matrix[i * size + i].isFinite {
      throw .notPositiveDefinite(order: i + 1)
    }
  }

  /// Replaces each of `count` rows b [size] by A⁻¹ b, given the factor of A.
  ///
  /// Two triangular solves, which is all that dpotrs does; rows of a piece go to OpenBLAS together.
  static func solve(
    _ factor: UnsafePointer<Double>, size: Int, rows: UnsafeMutablePointer<Double>, count: Int
  ) {
    for transpose: Int32 in [0, 1] {
      ob_dtrsm(
        transpose, Int32(size), Int32(count), factor, Int32(size), rows, Int32(size))
    }
  }

  /// product [count, size] = rows [count, size] · A.
  static func multiplySymmetric(
    _ matrix: UnsafePointer<Double>, size: Int, rows: UnsafePointer<Double>, count: Int,
    _ product: UnsafeMutablePointer<Double>
  ) {
    ob_dsymm(
      Int32(size), Int32(count), matrix, Int32(size), rows, Int32(size), product, Int32(size))
  }
}
