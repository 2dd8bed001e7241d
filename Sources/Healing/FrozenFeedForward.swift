import Architectures
import Kernels
import Runtime

/// The feed-forward part of a layer, kept as it is, with the gradient of its input.
struct FrozenFeedForward {
  private let weights: LayerWeights
  private let model: ModelDescription

  init(_ weights: LayerWeights, model: ModelDescription) {
    self.weights = weights
    self.model = model
  }

  /// mlp(norm h) [T, H] for the stream h [T, H].
  func callAsFunction(_ hidden: FloatMatrix) -> Traced {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: weights.ffnNorm, epsilon: model.normEpsilon, into: normed)
    let gate = weights.ffnGate(normed), up = weights.ffnUp(normed)
    let active = gate.copy
    active.gateUp(up)
    return Traced(value: weights.ffnDown(active)) { [weights, model] gradient, inputGradient in
      guard let inputGradient else { return }
      let inner = FloatMatrix.product(gradient, weights.ffnDown.matrix)
      let gateGradient = FloatMatrix(rows: inner.rows, columns: inner.columns)
      gate.gateUpBackward(up, gradient: inner, into: gateGradient, up: inner)
      let normGradient = FloatMatrix.product(gateGradient, weights.ffnGate.matrix)
      normGradient.addProduct(inner, weights.ffnUp.matrix)
      hidden.normBackward(
        weight: weights.ffnNorm, epsilon: model.normEpsilon, gradient: normGradient,
        into: normGradient, weightGradient: nil)
      inputGradient.add(normGradient)
    }
  }
}

extension FloatMatrix {
  /// Gradients of silu(self) · up, for the gate and for `up`; the latter may take the place of
  /// `gradient`.
  fileprivate func gateUpBackward(
    _ up: FloatMatrix, gradient: FloatMatrix, into gateGradient: FloatMatrix,
    up upGradient: FloatMatrix
  ) {
    withExtendedLifetime((self, up, gradient, gateGradient, upGradient)) {
      SwiGLU.backward(
        gate: pointer, up: up.pointer, outputGradient: gradient.pointer, count: count,
        gateGradient: gateGradient.pointer, upGradient: upGradient.pointer)
    }
  }
}
