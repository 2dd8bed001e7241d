import COpenBLAS

/// Symmetric float64 matrices, of which the upper triangle of row-major storage is read: column-
/// major LAPACK's lower one.
enum Cholesky {
  /// Overwrites the triangle of `matrix` [size, size] with its Cholesky factor.
  static func factor(_ matrix: inout [Double], size: Int) throws(LeastSquaresError) {
    _ = BLAS.singleThreaded
    var order = Int32(size), info: Int32 = 0
    matrix.withUnsafeMutableBufferPointer { dpotrf_("L", &order, $0.baseAddress, &order, &info, 1) }
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
    for transpose in [CblasNoTrans, CblasTrans] {
      cblas_dtrsm(
        CblasColMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, Int32(size), Int32(count),
        1, factor, Int32(size), rows, Int32(size))
    }
  }

  /// product [count, size] = rows [count, size] · A.
  static func multiplySymmetric(
    _ matrix: UnsafePointer<Double>, size: Int, rows: UnsafePointer<Double>, count: Int,
    _ product: UnsafeMutablePointer<Double>
  ) {
    _ = BLAS.singleThreaded
    cblas_dsymm(
      CblasColMajor, CblasLeft, CblasLower, Int32(size), Int32(count), 1, matrix, Int32(size),
      rows, Int32(size), 0, product, Int32(size))
  }
}
