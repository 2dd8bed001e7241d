import CKernels
import Foundation

/// The log-decay of gated linear attention from its gate logits.
public enum DecayGate {
  /// z = logsigmoid(z) / normalizer, in place; logsigmoid(z) = min(z, 0) - log1p(exp(-|z|)).
  ///
  /// The report and the authors' code use normalizer 16.
  static func logDecayInPlace(
    _ z: UnsafeMutablePointer<Float>, count: Int, normalizer: Float = 16
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
      ck_log_sigmoid(Execution.isa, z + range.lowerBound, 1 / normalizer, range.count)
    }
  }

  /// The specification of `logDecayInPlace`, in float64.
  static func referenceInPlace(
    _ z: UnsafeMutablePointer<Float>, count: Int, normalizer: Float = 16
  ) {
    for i in 0..<count {
      let x = Double(z[i])
      z[i] = Float((min(x, 0) - log1p(exp(-abs(x)))) / Double(normalizer))
    }
  }

  /// dz = dg · sigmoid(-z) / normalizer: the gradient of `logDecayInPlace` by its logits z.
  ///
  /// `output` may be dg. Right to rounding for any z: sigmoid(-z) underflows to 0 only where it is
  /// smaller than float32 can hold.
  static func backward(
    logits z: UnsafePointer<Float>, logDecayGradient dg: UnsafePointer<Float>, count: Int,
    normalizer: Float = 16, into output: UnsafeMutablePointer<Float>
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
      let start = range.lowerBound
      ck_log_sigmoid_backward(
        Execution.isa, z + start, dg + start, 1 / normalizer, output + start, range.count)
    }
  }

  /// The specification of `backward`, in float64.
  static func backwardReference(
    logits z: UnsafePointer<Float>, logDecayGradient dg: UnsafePointer<Float>, count: Int,
    normalizer: Float = 16, into output: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count {
      output[i] = Float(Double(dg[i]) / (1 + exp(Double(z[i]))) / Double(normalizer))
    }
  }
}
