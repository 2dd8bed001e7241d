import CKernels
import Foundation

/// The gated activation of the feed-forward part.
public enum SwiGLU {
  /// output = silu(gate) · up, elementwise, silu(x) = x / (1 + exp(-x)).
  ///
  /// `output` may be `gate` or `up`.
  static func apply(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
      let start = range.lowerBound
      ck_swiglu(Execution.isa, gate + start, up + start, output + start, range.count)
    }
  }

  /// The specification of `apply`, in float64.
  static func reference(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count {
      let x = Double(gate[i])
      output[i] = Float(x / (1 + exp(-x)) * Double(up[i]))
    }
  }
}
