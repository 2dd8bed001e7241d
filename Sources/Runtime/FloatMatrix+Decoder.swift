package import Architectures
package import Kernels
package import TensorTypes

extension FloatMatrix {
  /// activation(self) · up, in place.
  package func gate(_ up: FloatMatrix, by activation: Activation) {
    switch activation {
    case .silu: gateUp(up)
    case .gelu: gateUpByGELU(up, tanh: false)
    case .geluTanh: gateUpByGELU(up, tanh: true)
    }
  }

  /// The gradients of `gate(_:by:)` for `gradient`, for the gate and for `up`; the latter may take the
  /// place of `gradient`.
  package func gateBackward(
    _ up: FloatMatrix, by activation: Activation, gradient: FloatMatrix,
    into gateGradient: FloatMatrix, up upGradient: FloatMatrix
  ) {
    switch activation {
    case .silu: gateUpBackward(up, gradient: gradient, into: gateGradient, up: upGradient)
    case .gelu, .geluTanh:
      gateUpByGELUBackward(
        up, tanh: activation == .geluTanh, gradient: gradient, into: gateGradient, up: upGradient)
    }
  }

  /// The index of the first element that is not finite or so large that the squares of a row of as
  /// many as 2^15 may have an infinite sum, of which a norm would make zeros; nil when there is none.
  var firstTooLarge: Int? { firstNotFinite(below: 0x1p56) }

  /// Makes products with the head's weight [T, V] the logits of `model`: its factor, then its cap.
  package func finishLogits(of model: ModelDescription) {
    scale(by: model.multipliers.logits)
    if let cap = model.softCaps.logits { softCap(cap) }
  }

  /// This gradient of `logits`, which `finishLogits` gave, becomes that of the products.
  package func becomeGradient(ofFinished logits: FloatMatrix, of model: ModelDescription) {
    if let cap = model.softCaps.logits { becomeSoftCapGradient(of: logits, cap: cap) }
    scale(by: model.multipliers.logits)
  }
}

extension WeightSource {
  /// What the norm at `address` multiplies by: its weight, or 1 + w where `model` says so.
  package func norm(_ address: TensorAddress, of model: ModelDescription) throws -> [Float] {
    let weight = try vector(address)
    return model.addsOne(address.role) ? weight.map { 1 + $0 } : weight
  }
}
