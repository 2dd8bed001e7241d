package import Architectures
import Kernels
package import TensorTypes

extension FloatMatrix {
  /// activation(self) · up, in place.
  func gate(_ up: FloatMatrix, by activation: Activation) {
    withExtendedLifetime((self, up)) {
      switch activation {
      case .silu: SwiGLU.apply(gate: pointer, up: up.pointer, count: count, into: pointer)
      case .gelu: GatedActivation.gelu(gate: pointer, up: up.pointer, count: count, into: pointer)
      case .geluTanh:
        GatedActivation.geluTanh(gate: pointer, up: up.pointer, count: count, into: pointer)
      }
    }
  }

  /// Multiplies every element by `factor`, in float32; 1 changes nothing.
  func scale(by factor: Double) {
    guard factor != 1 else { return }
    let factor = Float(factor)
    withExtendedLifetime(self) { for index in 0..<count { pointer[index] *= factor } }
  }

  /// Makes products with the head's weight [T, V] the logits of `model`: its factor, then its cap.
  package func finishLogits(of model: ModelDescription) {
    scale(by: model.multipliers.logits)
    guard let cap = model.softCaps.logits else { return }
    withExtendedLifetime(self) { SoftCap.applyInPlace(pointer, count: count, cap: cap) }
  }
}

extension WeightSource {
  /// What the norm at `address` multiplies by: its weight, or 1 + w where `model` says so.
  package func norm(_ address: TensorAddress, of model: ModelDescription) throws -> [Float] {
    let weight = try vector(address)
    return model.addsOne(address.role) ? weight.map { 1 + $0 } : weight
  }
}

extension ModelDescription {
  /// What queries are multiplied by so that the kernels' d^-1/2 becomes the model's factor of scores.
  var queryFactor: Double { multipliers.scores.map { $0 * Double(headDim).squareRoot() } ?? 1 }
}
