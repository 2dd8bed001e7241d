import Kernels
import TensorTypes

/// Linear and softmax attention side by side with gradients: a per-head norm of each, and their sum.
///
/// A branch's factor and norm are only ever multiplied, so the norms are trained with the factors in
/// them, and both factors are written as one number that brings the norms near 1.
struct ParallelTraining: MixerTraining {
  private let model: MixerModel
  private let softmax: any MixerTraining
  let linearNorm: Parameter
  let softmaxNorm: Parameter
  /// The factor of both branches [2]; it has no gradient.
  private let factors: Parameter
  /// A large epsilon makes the norms mere factors of 1 / sqrt(epsilon), which this takes back.
  private let factor: Float

  init(_ layer: ParallelLayer, rotary: RotaryEmbedding?) {
    let model = layer.model
    self.model = model
    softmax = layer.softmax.training(rotary: rotary, gateBias: nil)
    let factor = Float(max(1, model.branchNormEpsilon.squareRoot()))
    self.factor = factor
    func norm(_ role: TensorAddress.Role, _ weight: [Float]) -> Parameter {
      // A tensor of zeros is what a lost one looks like: a silent branch starts as a whisper.
      let isSilent = weight.allSatisfy { $0 == 0 }
      return Parameter(
        role, .weight, weight.map { isSilent ? 0x1p-20 : $0 / factor },
        shape: [model.layout.heads, model.layout.valueDimension], rate: Parameter.normRate)
    }
    linearNorm = norm(.linearNorm, layer.linearNorm)
    softmaxNorm = norm(.softmaxNorm, layer.softmaxNorm)
    factors = Parameter(.branchScale, .weight, [factor, factor])
  }

  var parameters: [Parameter] { [linearNorm, softmaxNorm, factors] }

  func mix(_ heads: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    // Softmax attention rotates q and k in place: the linear branch reads them before.
    let linear = ParallelLayer.inputs(heads)
    let unnormed = linear.whole(model.layout, segments: segments)
    let attended = softmax.mix(heads, input: input, segments: segments)
    let linearPart = normed(unnormed, linearNorm)
    let features = normed(attended.features, softmaxNorm)
    features.add(linearPart)
    return MixedHeads(features: features, linearPart: linearPart) {
      [self] gradient, inputGradient in
      let scaled = gradient.zeros
      scaled.add(gradient, times: factor)
      let result = attended.pullback(
        normGradient(attended.features, softmaxNorm, scaled), inputGradient)
      let (added, decayGradient) = linear.backward(
        model.layout, segments: segments,
        outputGradient: normGradient(unnormed, linearNorm, scaled))
      added.query.becomeSigmoidGradient(of: linear.heads.query)
      // The decay's logit is -k: d log(1 - sigmoid(z)) / dz = -sigmoid(z).
      added.key.becomeSigmoidGradient(of: linear.heads.key)
      added.key.subtractProduct(linear.heads.key, decayGradient)
      result.query.add(added.query)
      result.key.add(added.key)
      result.value.add(added.value)
      return result
    }
  }

  private func normed(_ heads: FloatMatrix, _ norm: Parameter) -> FloatMatrix {
    let result = heads.copy
    result.normalizeHeads(
      by: norm.values.map { $0 * factor }, heads: model.layout.heads,
      epsilon: model.branchNormEpsilon)
    return result
  }

  private func normGradient(
    _ heads: FloatMatrix, _ norm: Parameter, _ gradient: FloatMatrix
  ) -> FloatMatrix {
    let result = heads.unset
    heads.normBackward(
      weight: norm.values, heads: model.layout.heads, epsilon: model.branchNormEpsilon,
      gradient: gradient, into: result, weightGradient: norm.gradientIfTrained)
    return result
  }
}
