import COpenBLAS

/// OpenBLAS, called on one thread at a time by each of ours.
enum BLAS {
  /// Tells OpenBLAS not to start threads of its own; touch before the first call.
  ///
  /// Our pieces are already spread over threads, and products of this size gain nothing from
  /// OpenBLAS's own pool. Concurrent single-threaded calls are safe in OpenBLAS's pthread build.
  static let singleThreaded: Void = openblas_set_num_threads(1)

  /// c [m, n] = a [m, k] · bᵀ [k, n] with b stored [n, k]; strides are floats between rows.
  static func multiplyTransposed(
    _ a: UnsafePointer<Float>, stride aStride: Int, _ b: UnsafePointer<Float>, stride bStride: Int,
    m: Int, n: Int, k: Int, into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    _ = singleThreaded
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, Int32(m), Int32(n), Int32(k), 1, a, Int32(aStride),
      b, Int32(bStride), 0, c, Int32(cStride))
  }

  /// c [m, n] += a [m, k] · b [k, n]; strides are floats between rows.
  static func multiplyAdding(
    _ a: UnsafePointer<Float>, stride aStride: Int, _ b: UnsafePointer<Float>, stride bStride: Int,
    m: Int, n: Int, k: Int, into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    _ = singleThreaded
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(m), Int32(n), Int32(k), 1, a,
      Int32(aStride), b, Int32(bStride), 1, c, Int32(cStride))
  }

  /// c [m, n] = a · b, or c += a · b: a is stored [m, k] or, transposed, [k, m], b [k, n] or [n, k].
  static func multiply(
    _ form: MatrixProduct.Form, _ a: UnsafePointer<Float>, stride aStride: Int,
    _ b: UnsafePointer<Float>, stride bStride: Int, m: Int, n: Int, k: Int, adding: Bool,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    _ = singleThreaded
    cblas_sgemm(
      CblasRowMajor, form == .transposedLeft ? CblasTrans : CblasNoTrans,
      form == .transposedRight ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), 1, a,
      Int32(aStride), b, Int32(bStride), adding ? 1 : 0, c, Int32(cStride))
  }
}
