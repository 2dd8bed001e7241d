public import TensorTypes

/// Linear layers: y = x Wᵀ + b with W in any stored type, read in place.
public enum Linear {
  /// Writes y [tokens, out] = x [tokens, in] · Wᵀ + b.
  ///
  /// - Parameters:
  ///   - weight: W [out, in], of any type `RowDecoder` supports.
  ///   - bias: b [out], or nil.
  ///   - input: x; consecutive tokens are `inputStride` floats apart (default: in).
  ///   - output: y; consecutive tokens are `outputStride` floats apart (default: out). Must not
  ///     overlap x.
  ///
  /// Weights are widened to float32 and multiplied with float32 activations and accumulators. A
  /// token's result depends on how many tokens there are by rounding only.
  public static func apply(
    weight: TensorView, bias: UnsafePointer<Float>? = nil,
    input: UnsafePointer<Float>, inputStride: Int? = nil, tokens: Int,
    output: UnsafeMutablePointer<Float>, outputStride: Int? = nil
  ) {
    reference(
      weight: weight, bias: bias, input: input, inputStride: inputStride, tokens: tokens,
      output: output, outputStride: outputStride)
  }
}
