import CKernels
public import TensorTypes

/// Rounds float32 to the storage types of weights.
public enum FloatCast {
  /// Writes `count` floats as `type` to `output`, which need not be aligned.
  ///
  /// float16 and bfloat16 round to nearest, ties to even, as PyTorch does; float16 overflows to
  /// infinity. NaNs stay NaN: sign and upper payload are kept and the quiet bit is set.
  ///
  /// - Precondition: `canEncode(type)`.
  public static func encode(
    _ source: UnsafePointer<Float>, count: Int, as type: ScalarType,
    into output: UnsafeMutableRawPointer
  ) {
    switch type {
    case .float32: output.copyMemory(from: source, byteCount: count * 4)
    case .float64:
      for i in 0..<count {
        output.storeBytes(of: Double(source[i]), toByteOffset: i * 8, as: Double.self)
      }
    case .bfloat16:
      ck_to_bf16(Execution.isa, source, output, count)
    case .float16:
      ck_to_f16(Execution.isa, source, output, count)
    default: preconditionFailure("not a floating-point type")
    }
  }

  /// Whether `encode` can write this type: the four floating-point types.
  public static func canEncode(_ type: ScalarType) -> Bool { type.isFloat }
}
