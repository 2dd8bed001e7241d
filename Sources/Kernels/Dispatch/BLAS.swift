import COpenBLAS

/// OpenBLAS, called on one thread at a time by each of ours.
public enum BLAS {
  /// The processor whose kernels are in use, in OpenBLAS's words: `SkylakeX`.
  public static var core: String { String(cString: ob_core_in_use()) }

  /// Version and build options: `OpenBLAS 0.3.21 DYNAMIC_ARCH …`.
  public static var library: String { String(cString: ob_config()) }

  /// c [m, n] = a [m, k] · bᵀ [k, n] with b stored [n, k]; strides are floats between rows.
  static func multiplyTransposed(
    _ a: UnsafePointer<Float>, stride aStride: Int, _ b: UnsafePointer<Float>, stride bStride: Int,
    m: Int, n: Int, k: Int, into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    multiply(
      .transposedRight, a, stride: aStride, b, stride: bStride, m: m, n: n, k: k, adding: false,
      into: c, stride: cStride)
  }

  /// c [m, n] += a [m, k] · b [k, n]; strides are floats between rows.
  static func multiplyAdding(
    _ a: UnsafePointer<Float>, stride aStride: Int, _ b: UnsafePointer<Float>, stride bStride: Int,
    m: Int, n: Int, k: Int, into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    multiply(
      .plain, a, stride: aStride, b, stride: bStride, m: m, n: n, k: k, adding: true, into: c,
      stride: cStride)
  }

  /// c [m, n] = a · b, or c += a · b: a is stored [m, k] or, transposed, [k, m], b [k, n] or [n, k].
  static func multiply(
    _ form: MatrixProduct.Form, _ a: UnsafePointer<Float>, stride aStride: Int,
    _ b: UnsafePointer<Float>, stride bStride: Int, m: Int, n: Int, k: Int, adding: Bool,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    ob_sgemm(
      form == .transposedLeft ? 1 : 0, form == .transposedRight ? 1 : 0, Int32(m), Int32(n),
      Int32(k), 1, a, Int32(aStride), b, Int32(bStride), adding ? 1 : 0, c, Int32(cStride))
  }
}
