import Foundations
import Kernels
import Runtime
import Testing

@testable import Healing

/// Compares derived gradients with central differences.
enum GradientCheck {
  /// Expects that moving `value` along its gradient changes `loss` as the gradient says.
  ///
  /// Along the gradient itself the derivative is its squared norm: one number that every element
  /// takes part in, and large enough to measure in f32.
  static func expect(
    _ name: String, _ value: FloatMatrix, gradient: FloatMatrix, seed: UInt64, step size: Double,
    tolerance: Double = 0.02, loss: () throws -> Double
  ) rethrows {
    var generator = SplitMix64(seed: seed)
    let direction = gradient.elements.map { $0 * (1 + 0.5 * generator.symmetric(1)) }
    let expected = zip(direction, gradient.elements).reduce(0.0) {
      $0 + Double($1.0) * Double($1.1)
    }
    let length = direction.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
    guard length > 0 else {
      Issue.record("\(name) has no gradient")
      return
    }
    let step = size / length
    let start = value.copy
    func moved(by distance: Double) throws -> Double {
      for index in direction.indices {
        value.elements[index] = start.elements[index] + Float(distance) * direction[index]
      }
      return try loss()
    }
    let measured = (try moved(by: step) - moved(by: -step)) / (2 * step)
    value.copyRows(of: start, to: 0)
    #expect(
      abs(measured - expected) <= tolerance * abs(expected) + 1e-9,
      "\(name): \(measured) measured, \(expected) derived")
  }
}
