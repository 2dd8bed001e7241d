extension MatrixProduct {
  /// What the operands of a product are rounded to. Sums are float32 in either case.
  public enum Precision: Sendable, CaseIterable {
    /// Nothing: float32 operands are multiplied as they are.
    case float32
    /// bfloat16, to nearest even, where the CPU multiplies it faster than float32
    /// (`ProductKernel.fastest`) and the matrices are not tiny; else as `float32`.
    ///
    /// Rounding changes an operand by at most 2^-8 of itself, so a product by at most about 2^-7,
    /// 2.3e-3 in the root mean square. The errors of different products are independent: sums of
    /// products of either sign are off by 2.3e-3 of their typical size, whatever k is; sums of
    /// products of one sign by about 4e-3/√k of themselves (1.6e-4 at k = 576).
    /// NaN and infinity stay what they are; magnitudes above 3.39e38 round to infinity;
    /// subnormal operands and results, below 1.2e-38, become zero.
    case bfloat16

    /// What products round to when nothing else is said: float32 unless a caller further out chose
    /// otherwise with `Execution.with`, as healing does.
    public static var current: Precision { Execution.current.precision }
  }
}
