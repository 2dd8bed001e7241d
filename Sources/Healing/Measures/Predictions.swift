import Architectures
import Kernels
import Runtime
import TensorTypes

/// What residual streams that leave the last layer predict.
struct Predictions {
  let model: ModelDescription
  /// Weight of the final norm [H].
  let norm: [Float]
  /// The output head [V, H].
  let head: LinearMap

  /// Rows of logits held at a time: with a vocabulary of 150,000 they take 150 MB per matrix.
  static let rowsAtOnce = 256

  init(_ model: ModelDescription, weights: any WeightSource) throws {
    self.model = model
    norm = try weights.vector(TensorAddress(.finalNorm))
    head = try .head(of: model, from: weights, dropsPages: true)
  }

  /// The final norm of residual streams [T, H].
  func normed(_ hidden: FloatMatrix) -> FloatMatrix {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: norm, epsilon: model.normEpsilon, into: normed)
    return normed
  }

  /// Logits [T, V] of residual streams [T, H].
  func logits(_ hidden: FloatMatrix) throws -> FloatMatrix { try head(normed(hidden)) }

  /// KL(reference‖these) of rows of logits [T, V], summed, in nats; `logits` become `factor` times
  /// its gradient.
  static func divergence(
    of logits: FloatMatrix, from reference: FloatMatrix, factor: Float = 0
  ) -> Double {
    Distillation.backwardInPlace(student: logits, teacher: reference, factor: factor).reduce(0, +)
  }
}
