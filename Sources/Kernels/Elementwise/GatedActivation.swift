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
}
