import Kernels
import Runtime

/// A trainable matrix with its gradient and optimiser state.
final class Parameter {
  /// The current value.
  let value: FloatMatrix
  /// The gradient of the last step.
  let gradient: FloatMatrix
  /// Learning rate relative to that of the projections.
  let rate: Double
  private let optimiser: Adam

  init(_ value: FloatMatrix, rate: Double = 1) {
    self.value = value
    self.rate = rate
    gradient = FloatMatrix(rows: value.rows, columns: value.columns)
    optimiser = Adam(count: value.count)
  }

  /// A vector as a parameter of one row.
  convenience init(_ values: [Float], rate: Double = 1) {
    self.init(FloatMatrix(values, rows: 1), rate: rate)
  }

  /// One Adam step down the gradient, scaled by `scale`.
  func step(learningRate: Double, gradientScale: Float) {
    withExtendedLifetime((value, gradient)) {
      optimiser.step(
        value.pointer, gradient: gradient.pointer, gradientFactor: gradientScale,
        settings: .init(learningRate: Float(learningRate * rate)))
    }
  }

  /// Sum of the squared gradient.
  var squaredGradient: Double {
    withExtendedLifetime(gradient) {
      Vector.sumOfSquares(gradient.pointer, count: gradient.count)
    }
  }

  /// The value as a plain array.
  var values: [Float] { withExtendedLifetime(value) { Array(value.elements) } }
}

extension FloatMatrix {
  /// A matrix of the given values.
  convenience init(_ values: [Float], rows: Int) {
    self.init(rows: rows, columns: values.count / max(rows, 1))
    for (index, value) in values.enumerated() { pointer[index] = value }
  }

  /// An independent copy.
  var copy: FloatMatrix {
    let copy = FloatMatrix(rows: rows, columns: columns)
    copy.copyRows(of: self, to: 0)
    return copy
  }
}
