import CKernels
import Foundation

/// The log-decay of gated linear attention from its gate logits.
public enum DecayGate {
  /// z = logsigmoid(z) / normalizer, in place; logsigmoid(z) = min(z, 0) - log1p(exp(-|z|)).
  ///
  /// The report and the authors' code use normalizer 16.
  public static func logDecayInPlace(
    _ z: UnsafeMutablePointer<Float>, count: Int, normalizer: Float = 16
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
      ck_log_sigmoid(z + range.lowerBound, 1 / normalizer, range.count)
    }
  }

  /// The specification of `logDecayInPlace`, in float64.
  public static func referenceInPlace(
    _ z: UnsafeMutablePointer<Float>, count: Int, normalizer: Float = 16
  ) {
    for i in 0..<count {
      let x = Double(z[i])
      z[i] = Float((min(x, 0) - log1p(exp(-abs(x)))) / Double(normalizer))
    }
  }
}
