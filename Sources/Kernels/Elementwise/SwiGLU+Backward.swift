import CKernels
import Foundation

extension SwiGLU {
  /// The gradients of `apply` for the gradient dy of its output.
  ///
  /// With s = 1 / (1 + exp(-gate)): dgate = dy · up · s · (1 + gate · (1 - s)) and
  /// dup = dy · gate · s, elementwise. Each may be written over any of the inputs, but not both over
  /// the same.
  static func backward(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, outputGradient dy: UnsafePointer<Float>,
    count: Int, gateGradient: UnsafeMutablePointer<Float>,
    upGradient: UnsafeMutablePointer<Float>
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
      let start = range.lowerBound
      ck_swiglu_backward(
        Execution.isa, gate + start, up + start, dy + start, gateGradient + start,
        upGradient + start,
        range.count)
    }
  }

  /// The specification of `backward`, in float64.
  static func backwardReference(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, outputGradient dy: UnsafePointer<Float>,
    count: Int, gateGradient: UnsafeMutablePointer<Float>,
    upGradient: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count {
      let x = Double(gate[i]), s = 1 / (1 + exp(-x)), slope = s * (1 + x * (1 - s))
      let (weight, gradient) = (Double(up[i]), Double(dy[i]))
      gateGradient[i] = Float(gradient * weight * slope)
      upGradient[i] = Float(gradient * x * s)
    }
  }
}
