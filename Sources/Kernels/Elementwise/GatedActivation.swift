import Foundation

/// Gated activations other than SiLU, which has a kernel of its own, `SwiGLU`: in plain Swift, in
/// float64 per element.
public enum GatedActivation {
  /// output = gelu(gate) · up, elementwise, gelu(x) = x · (1 + erf(x / √2)) / 2.
  ///
  /// `output` may be `gate` or `up`.
  static func gelu(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    apply(gate, up, count, output) { $0 * (1 + erf($0 * 0.5.squareRoot())) / 2 }
  }

  /// output = gelu(gate) · up, elementwise, with the approximation
  /// gelu(x) = x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2.
  ///
  /// `output` may be `gate` or `up`.
  static func geluTanh(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    let factor = (2 / Double.pi).squareRoot()
    apply(gate, up, count, output) { $0 * (1 + tanh(factor * ($0 + 0.044715 * $0 * $0 * $0))) / 2 }
  }

  /// The gradients of `gelu`, or of `geluTanh` if so, for the gradient dy of its output: dgate = dy ·
  /// up · gelu'(gate) and dup = dy · gelu(gate), elementwise. With gelu(x) = x · (1 + s(x)) / 2 the slope is
  /// (1 + s(x)) / 2 + x · s'(x) / 2.
  ///
  /// Each may be written over any of the inputs, but not both over the same.
  static func geluBackward(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, outputGradient dy: UnsafePointer<Float>,
    count: Int, tanh isTanh: Bool, gateGradient: UnsafeMutablePointer<Float>,
    upGradient: UnsafeMutablePointer<Float>
  ) {
    let factor = (2 / Double.pi).squareRoot()
    Parallel.ranges(count, granularity: 64, minimum: 1 << 12) { range in
      for i in range {
        let x = Double(gate[i]), weight = Double(up[i]), gradient = Double(dy[i])
        let share =
          isTanh ? tanh(factor * (x + 0.044715 * x * x * x)) : erf(x * 0.5.squareRoot())
        let shareSlope =
          isTanh
          ? (1 - share * share) * factor * (1 + 3 * 0.044715 * x * x) : factor * exp(-x * x / 2)
        let slope = (1 + share) / 2 + x * shareSlope / 2
        gateGradient[i] = Float(gradient * weight * slope)
        upGradient[i] = Float(gradient * x * (1 + share) / 2)
      }
    }
  }

  private static func apply(
    _ gate: UnsafePointer<Float>, _ up: UnsafePointer<Float>, _ count: Int,
    _ output: UnsafeMutablePointer<Float>, _ activation: (Double) -> Double
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 12) { range in
      for i in range { output[i] = Float(activation(Double(gate[i])) * Double(up[i])) }
    }
  }
}

/// cap · tanh(x / cap), which bounds numbers without changing small ones.
public enum SoftCap {
  /// Caps `count` numbers in place.
  static func applyInPlace(_ x: UnsafeMutablePointer<Float>, count: Int, cap: Double) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 12) { range in
      for i in range { x[i] = Float(cap * tanh(Double(x[i]) / cap)) }
    }
  }

  /// Multiplies a gradient by the slope 1 - (y / cap)² of the cap that gave `y`.
  static func backwardInPlace(
    _ gradient: UnsafeMutablePointer<Float>, capped y: UnsafePointer<Float>, count: Int, cap: Double
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 12) { range in
      for i in range {
        let share = Double(y[i]) / cap
        gradient[i] = Float(Double(gradient[i]) * (1 - share * share))
      }
    }
  }
}
