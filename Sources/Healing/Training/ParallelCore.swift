import Architectures
import Kernels
import Runtime
import TensorTypes

/// Linear and softmax attention side by side on the same projections, trainable: a per-head norm of
/// each, and their sum.
///
/// A branch's factor and norm are only ever multiplied, so the norms are trained with the factors in
/// them, and both factors are written as one number that brings the norms near 1.
struct ParallelCore: MixingCore {
  private let model: ModelDescription
  private let softmax: SoftmaxCore
  let linearNorm: Parameter
  let softmaxNorm: Parameter
  /// The factor of both branches [2]; it has no gradient.
  private let factors: Parameter
  /// A large epsilon makes the norms mere factors of 1 / sqrt(epsilon), which this takes back.
  private let factor: Float

  /// - Parameter window: most keys a token sees; nil for all.
  init(_ weights: LayerWeights, model: ModelDescription, window: Int?) throws {
    guard let branches = weights.branches else {
      throw HealingError.differentModels("a layer has no branch norms")
    }
    self.model = model
    softmax = SoftmaxCore(model: model, layer: weights.index, window: window)
    let factor = Float(max(1, model.branchNormEpsilon.squareRoot()))
    self.factor = factor
    func norm(_ role: TensorAddress.Role, _ weight: [Float]) -> Parameter {
      // A tensor of zeros is what a lost one looks like: a silent branch starts as a whisper.
      let isSilent = weight.allSatisfy { $0 == 0 }
      return Parameter(
        role, .weight, weight.map { isSilent ? 0x1p-20 : $0 / factor },
        shape: [model.heads, model.headDim], rate: Parameter.normRate)
    }
    linearNorm = norm(.linearNorm, branches.linear)
    softmaxNorm = norm(.softmaxNorm, branches.softmax)
    factors = Parameter(.branchScale, .weight, [factor, factor])
  }

  var parameters: [Parameter] { [linearNorm, softmaxNorm, factors] }

  func mix(_ projections: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    // Softmax attention rotates q and k in place: the linear branch reads them before.
    let linear = TiedGateAttention(projections, model: model, segments: segments)
    let attended = softmax.mix(projections, input: input, segments: segments)
    let linearPart = normed(linear.heads, linearNorm)
    let features = normed(attended.features, softmaxNorm)
    features.add(linearPart)
    return MixedHeads(features: features, linearPart: linearPart) {
      [self] gradient, inputGradient in
      let scaled = gradient.zeros
      scaled.add(gradient, times: factor)
      let result = attended.pullback(
        normGradient(attended.features, softmaxNorm, scaled), inputGradient)
      let added = linear.gradients(normGradient(linear.heads, linearNorm, scaled))
      result.query.add(added.query)
      result.key.add(added.key)
      result.value.add(added.value)
      return result
    }
  }

  private func normed(_ heads: FloatMatrix, _ norm: Parameter) -> FloatMatrix {
    let result = heads.copy
    result.normalizeHeads(
      byEach: norm.values.map { $0 * factor }, heads: model.heads, epsilon: model.branchNormEpsilon)
    return result
  }

  private func normGradient(
    _ heads: FloatMatrix, _ norm: Parameter, _ gradient: FloatMatrix
  ) -> FloatMatrix {
    let result = heads.unset
    heads.normBackward(
      weight: norm.values, heads: model.heads, epsilon: model.branchNormEpsilon,
      gradient: gradient, into: result, weightGradient: norm.isTrained ? norm.gradient : nil)
    return result
  }
}

/// Linear attention with sigmoid features and no gate of its own: decay 1 - k.
private struct TiedGateAttention {
  /// sigmoid(q), sigmoid(k), v and log(1 - sigmoid(k)).
  private let query, key, value, decay: FloatMatrix
  private let sequences: GLASequences
  /// Head outputs [T, heads·d].
  let heads: FloatMatrix

  init(_ projections: Projections, model: ModelDescription, segments: Int) {
    query = projections.query.copy
    key = projections.key.copy
    value = projections.value
    // log(1 - sigmoid(z)) = logsigmoid(-z).
    decay = key.zeros
    decay.add(key, times: -1)
    decay.becomeLogDecay(normalizer: 1)
    query.becomeSigmoid()
    key.becomeSigmoid()
    sequences = GLASequences(model: model, segments: segments)
    heads = sequences.forward(query, key, value, decay)
  }

  /// Gradients of the projections from that of the head outputs.
  func gradients(_ gradient: FloatMatrix) -> Projections {
    let (result, decayGradient) = sequences.backward(
      query, key, value, decay, outputGradient: gradient)
    result.query.becomeSigmoidGradient(of: query)
    // The decay's logit is -k: d log(1 - sigmoid(z)) / dz = -sigmoid(z).
    result.key.becomeSigmoidGradient(of: key)
    result.key.subtractProduct(key, decayGradient)
    return result
  }
}
