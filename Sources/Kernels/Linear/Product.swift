import CKernels

/// Products of two matrices on the calling thread.
enum Product {
  /// c [m, n] = a · b, or c += a · b: a is stored [m, k] or, transposed, [k, m], b [k, n] or [n, k].
  ///
  /// An element's bits do not depend on m and n, so neither on how a product is cut into pieces of C.
  ///
  /// - Parameters:
  ///   - aStride: floats between rows, like `bStride` and `cStride`.
  ///   - rounding: whether operands are rounded to bfloat16; only where
  ///     `InstructionSet.hasBFloat16Products`.
  static func multiply(
    _ form: MatrixProduct.Form, _ a: UnsafePointer<Float>, stride aStride: Int,
    _ b: UnsafePointer<Float>, stride bStride: Int, m: Int, n: Int, k: Int,
    adding: Bool = false,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int, rounding: Bool = false
  ) {
    let product = ck_product(
      a: ck_operand(depth_in_rows: form == .transposedLeft ? 0 : 1, values: a, stride: aStride),
      b: ck_operand(depth_in_rows: form == .transposedRight ? 1 : 0, values: b, stride: bStride),
      m: m, n: n, k: k, adding: adding ? 1 : 0, c: c, c_stride: cStride)
    if rounding { ck_bf16_product(product) } else { ck_f32_product(Execution.isa, product) }
  }

  /// Sides below which the tiles of bfloat16 products would be mostly padding.
  private static let side = 16
  /// Multiply-adds below which packing costs what the faster instruction saves.
  private static let work = 1 << 17

  /// Whether this CPU multiplies matrices of these sizes faster when they are rounded to bfloat16.
  ///
  /// Measured on Zen 4, packing included: 1.4 to 1.6 times at the smallest sizes that pass, twice
  /// from a side of about 64 on.
  static func roundingPays(m: Int, n: Int, k: Int) -> Bool {
    min(m, n, k) >= side && Double(m) * Double(n) * Double(k) >= Double(work)
      && InstructionSet.hasBFloat16Products
  }
}
