import CKernels

/// Products of matrices rounded to bfloat16 while they are packed, on the calling thread.
enum BFloat16Product {
  /// Sides below which the kernel's tiles would be mostly padding.
  private static let side = 16
  /// Multiply-adds below which packing costs what the faster instruction saves.
  private static let work = 1 << 17

  /// Whether this CPU multiplies matrices of these sizes faster than OpenBLAS does in float32.
  ///
  /// Measured on Zen 4, packing included: 1.4 to 1.6 times at the smallest sizes that pass, twice
  /// from a side of about 64 on.
  static func pays(m: Int, n: Int, k: Int) -> Bool {
    min(m, n, k) >= side && Double(m) * Double(n) * Double(k) >= Double(work)
      && InstructionSet.hasBFloat16Products
  }

  /// c [m, n] = a · b, or c += a · b, stored as `form` says; strides are floats between rows.
  ///
  /// Only where `InstructionSet.hasBFloat16Products`.
  static func multiply(
    _ form: MatrixProduct.Form, _ a: UnsafePointer<Float>, stride aStride: Int,
    _ b: UnsafePointer<Float>, stride bStride: Int, m: Int, n: Int, k: Int, adding: Bool,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    let product = ck_product(
      a: ck_operand(depth_in_rows: form == .transposedLeft ? 0 : 1, values: a, stride: aStride),
      b: ck_operand(depth_in_rows: form == .transposedRight ? 1 : 0, values: b, stride: bStride),
      m: m, n: n, k: k, adding: adding ? 1 : 0, c: c, c_stride: cStride)
    withScratch(CK_BF16_SCRATCH / MemoryLayout<Float>.size) { ck_bf16_product(product, $0) }
  }
}
