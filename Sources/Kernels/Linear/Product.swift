import CKernels

/// Products of two matrices on the calling thread.
enum Product {
  /// c [m, n] = a · b, or c += a · b: a is stored [m, k] or, transposed, [k, m], b [k, n] or [n, k].
  ///
  /// An element's bits do not depend on m and n, so neither on how a product is cut into pieces of C.
  ///
  /// - Parameters:
  ///   - aStride: floats between rows, like `bStride` and `cStride`.
  ///   - kernel: what multiplies, and what the operands are rounded to.
  static func multiply(
    _ form: MatrixProduct.Form, _ a: UnsafePointer<Float>, stride aStride: Int,
    _ b: UnsafePointer<Float>, stride bStride: Int, m: Int, n: Int, k: Int,
    adding: Bool = false, into c: UnsafeMutablePointer<Float>, stride cStride: Int,
    by kernel: ProductKernel = .float32
  ) {
    guard k > 0 else {
      for row in 0..<m where !adding { (c + row * cStride).update(repeating: 0, count: n) }
      return
    }
    kernel.run(
      ck_product(
        a: ck_operand(depth_in_rows: form == .transposedLeft ? 0 : 1, values: a, stride: aStride),
        b: ck_operand(depth_in_rows: form == .transposedRight ? 1 : 0, values: b, stride: bStride),
        m: m, n: n, k: k, adding: adding ? 1 : 0, c: c, c_stride: cStride))
  }
}
