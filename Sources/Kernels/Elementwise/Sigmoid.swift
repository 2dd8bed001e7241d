import CKernels
import Foundation

/// The logistic function, the feature map of parallel linear attention.
public enum Sigmoid {
  /// x = 1 / (1 + exp(-x)), in place.
  static func applyInPlace(_ x: UnsafeMutablePointer<Float>, count: Int) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
      // exp(logsigmoid(x)) never overflows and keeps the relative precision of small results.
      ck_log_sigmoid(Execution.isa, x + range.lowerBound, 1, range.count)
      ck_exp_scaled(Execution.isa, x + range.lowerBound, 0, 1, range.count)
    }
  }

  /// The specification of `applyInPlace`, in float64.
  static func referenceInPlace(_ x: UnsafeMutablePointer<Float>, count: Int) {
    for i in 0..<count { x[i] = Float(1 / (1 + exp(-Double(x[i])))) }
  }
}
