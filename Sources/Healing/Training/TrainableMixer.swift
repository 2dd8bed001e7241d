import Architectures
import Kernels
import Mixers
import Runtime
import TensorTypes

/// An attention layer whose parameters can be trained, from the normed inputs to the output of
/// o_proj: projections around a mixing core.
///
/// Every call takes whole segments, each starting from nothing and beginning with the model's sinks,
/// if it has any: x [segments · (sinks + length), H].
final class TrainableMixer {
  let model: ModelDescription
  /// o_proj [H, heads·d].
  let output: Parameter
  private let query: TrainableMap
  private let key: TrainableMap
  private let value: TrainableMap
  private let core: any MixerTraining
  /// Whether linear and softmax attention lie side by side.
  let isHybrid: Bool
  /// Bias of o_proj, where the model has one; kept as it is.
  let outputBias: [Float]?

  /// The layer with the weights it has now.
  ///
  /// - Parameters:
  ///   - gateBias: where the biases of a linear layer's gates start; nil keeps the stored ones.
  ///   - isTrained: false for a layer that only passes gradients on; it has no parameters then.
  init(
    _ weights: LayerWeights, model: ModelDescription, gateBias: Double?, isTrained: Bool = true
  ) {
    self.model = model
    let hasBias = model.biases.queryKeyValue
    query = TrainableMap(.query, weights.query, hasBias: hasBias, headNorm: weights.queryNorm)
    key = TrainableMap(.key, weights.key, hasBias: hasBias, headNorm: weights.keyNorm)
    value = TrainableMap(.value, weights.value, hasBias: hasBias, headNorm: nil)
    output = Parameter(.output, weights.output)
    outputBias = weights.output.bias
    isHybrid = model.layers[weights.index].mixer.isHybrid
    core = weights.mixer.training(
      rotary: RotaryEmbedding(model, layer: weights.index), gateBias: gateBias)
    for parameter in all { parameter.isTrained = isTrained }
  }

  /// Everything that is trained.
  var parameters: [Parameter] { all.filter(\.isTrained) }

  private var all: [Parameter] {
    query.parameters + key.parameters + value.parameters
      + core.parameters + [output]
  }

  /// The features that o_proj reads [T, heads·d].
  func features(_ input: FloatMatrix, segments: Int) -> Traced {
    let (mixed, projected) = mix(input, segments: segments)
    let pullback = mixed.pullback
    return Traced(value: mixed.features) { gradient, inputGradient in
      let gradients = pullback(gradient, inputGradient)
      projected[0].pullback(gradients.query, inputGradient)
      projected[1].pullback(gradients.key, inputGradient)
      projected[2].pullback(gradients.value, inputGradient)
    }
  }

  /// What each branch gives to the output of o_proj [T, H], its bias apart; nil when there are no
  /// two branches.
  func branches(
    _ input: FloatMatrix, segments: Int
  ) -> (linear: FloatMatrix, softmax: FloatMatrix)? {
    guard isHybrid else { return nil }
    let mixed = mix(input, segments: segments).heads
    guard let linear = mixed.linearPart else { return nil }
    mixed.features.add(linear, times: -1)
    return (
      FloatMatrix.product(linear, transposed: output.value),
      FloatMatrix.product(mixed.features, transposed: output.value)
    )
  }

  private func mix(
    _ input: FloatMatrix, segments: Int
  ) -> (heads: MixedHeads, projected: [Traced]) {
    let projected = [query, key, value].map { $0.forward(input, epsilon: model.normEpsilon) }
    let projections = Projections(
      query: projected[0].value, key: projected[1].value, value: projected[2].value)
    return (core.mix(projections, input: input, segments: segments), projected)
  }

  /// The output of o_proj [T, H] for features.
  func project(_ features: FloatMatrix) -> FloatMatrix {
    let result = FloatMatrix.product(features, transposed: output.value)
    if let outputBias { result.addToRows(outputBias) }
    return result
  }

  /// The whole layer: x to the output of o_proj [T, H].
  func callAsFunction(_ input: FloatMatrix, segments: Int) -> Traced {
    let features = features(input, segments: segments)
    return Traced(value: project(features.value)) { [output] gradient, inputGradient in
      output.addGradient(outputs: gradient, inputs: features.value)
      features.pullback(FloatMatrix.product(gradient, output.value), inputGradient)
    }
  }
}

/// A trainable projection to heads, with its bias and per-head norm if it has them.
private struct TrainableMap {
  let weight: Parameter
  let bias: Parameter?
  /// Kept as it is.
  let headNorm: [Float]?

  init(_ role: TensorAddress.Role, _ map: LinearMap, hasBias: Bool, headNorm: [Float]?) {
    weight = Parameter(role, map)
    bias =
      hasBias
      ? Parameter(
        role, .bias, map.bias ?? [Float](repeating: 0, count: weight.value.rows)) : nil
    self.headNorm = headNorm
  }

  var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

  func forward(_ input: FloatMatrix, epsilon: Double) -> Traced {
    let linear = FloatMatrix.product(input, transposed: weight.value)
    if let bias { linear.addToRows(bias.values) }
    func pullback(_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) {
      weight.addGradient(outputs: gradient, inputs: input)
      bias?.addGradient(outputs: gradient)
      inputGradient?.addProduct(gradient, weight.value)
    }
    guard let headNorm else { return Traced(value: linear, pullback: pullback) }
    let normed = linear.copy
    normed.normalizeHeads(by: headNorm, epsilon: epsilon)
    return Traced(value: normed) { gradient, inputGradient in
      let unnormed = FloatMatrix(rows: gradient.rows, columns: gradient.columns)
      linear.normBackward(
        weight: headNorm, epsilon: epsilon, gradient: gradient, into: unnormed,
        weightGradient: nil)
      pullback(unnormed, inputGradient)
    }
  }
}
