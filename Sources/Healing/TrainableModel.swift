import Architectures
import Kernels
import Recipes
import Runtime
import TensorTypes

/// A whole converted model whose attention layers can be trained against the source's logits; norms,
/// feed-forward parts, embedding and head stay as they are.
final class TrainableModel {
  let model: ModelDescription
  private let layers: [TrainableLayer]
  private let embedding: EmbeddingRows
  private let head: DistilledHead
  /// Whether layers are computed again on the way back instead of kept: a third more time, and the
  /// memory of one layer.
  private let recomputes: Bool

  /// The model of `weights`; `teacher` gives the targets.
  init(
    model: ModelDescription, weights: any WeightSource, teacher: ModelDescription,
    teacherWeights: any WeightSource, scope: HealSettings.DistillScope, recomputes: Bool
  ) throws {
    self.model = model
    self.recomputes = recomputes
    layers = try model.layers.indices.map {
      try TrainableLayer($0, model: model, weights: weights, scope: scope)
    }
    embedding = try EmbeddingRows(weights, model: model)
    head = DistilledHead(
      student: try Predictions(model, weights: weights),
      teacher: try Predictions(teacher, weights: teacherWeights))
  }

  /// The trained parameters of every layer, by layer.
  var parameters: [(layer: Int, parameters: [Parameter])] {
    layers.enumerated().map { ($0, $1.mixer.parameters) }.filter { !$0.1.isEmpty }
  }

  /// The summed KL divergence, in nats, of the source's next-token distributions from this model's
  /// over whole segments.
  ///
  /// - Parameters:
  ///   - tokens: the segments' tokens, T in all.
  ///   - source: the source's final residual stream of them [T, H].
  ///   - factor: adds `factor` times its gradient to the parameters' gradients; nil for none.
  func divergence(
    _ tokens: [Int], segments: Int, source: FloatMatrix, factor: Float?
  ) -> Double {
    var hidden = embedding.rows(tokens, segments: segments)
    guard let factor else {
      for layer in layers { hidden = layer(hidden, segments: segments).value }
      let text = hidden.withoutSinks(model.sinkCount, segments: segments)
      return head.divergence(text, source: source, factor: nil).sum
    }
    // Nothing below the first trained layer needs a gradient.
    let first = layers.firstIndex { !$0.mixer.parameters.isEmpty } ?? 0
    var traces: [Traced] = []
    for (index, layer) in layers.enumerated() {
      let input = hidden
      let trace = layer(input, segments: segments)
      hidden = trace.value
      if index < first { continue }
      traces.append(
        recomputes
          ? Traced(value: hidden) { layer(input, segments: segments).pullback($0, $1) }
          : trace)
    }
    let text = hidden.withoutSinks(model.sinkCount, segments: segments)
    let result = head.divergence(text, source: source, factor: factor)
    var gradient = result.gradient.withSinks(embedding.sinks.zeros, segments: segments)
    while let trace = traces.popLast() {
      let below = gradient.zeros
      trace.pullback(gradient, below)
      gradient = below
    }
    return result.sum
  }

  /// Bytes kept per token on the way forward when layers are not recomputed.
  static func traceBytes(_ model: ModelDescription) -> Int {
    let branches = model.layers.contains { $0.mixer.isParallel } ? 2 : 1
    let mixer = 4 * model.hiddenSize + 4 * branches * model.queryWidth + 6 * model.keyValueWidth
    return (mixer + 3 * model.feedForwardSize) * model.layers.count * MemoryLayout<Float>.stride
  }
}

/// A layer of the whole model: a trainable attention layer and a fixed feed-forward part.
struct TrainableLayer {
  let mixer: TrainableMixer
  private let weights: LayerWeights
  private let model: ModelDescription

  init(
    _ index: Int, model: ModelDescription, weights: any WeightSource,
    scope: HealSettings.DistillScope
  ) throws {
    self.model = model
    self.weights = try LayerWeights(index, of: model, from: weights)
    let kind = model.layers[index].mixer
    mixer = try TrainableMixer(
      self.weights, of: kind, model: model, gateBias: nil,
      isTrained: scope == .attention || kind.isLinear)
  }

  /// The stream [T, H] after the layer, for whole segments.
  func callAsFunction(_ hidden: FloatMatrix, segments: Int) -> Traced {
    let input = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: weights.mixerNorm, epsilon: model.normEpsilon, into: input)
    let mixed = mixer(input, segments: segments)
    let middle = hidden.copy
    middle.add(mixed.value)
    let fed = FrozenFeedForward(weights, model: model)(middle)
    let output = middle.copy
    output.add(fed.value)
    return Traced(value: output) { [weights, model] gradient, inputGradient in
      let middleGradient = gradient.copy
      fed.pullback(gradient, middleGradient)
      let normGradient = gradient.zeros
      mixed.pullback(middleGradient, inputGradient == nil ? nil : normGradient)
      guard let inputGradient else { return }
      hidden.normBackward(
        weight: weights.mixerNorm, epsilon: model.normEpsilon, gradient: normGradient,
        into: normGradient, weightGradient: nil)
      inputGradient.add(middleGradient)
      inputGradient.add(normGradient)
    }
  }
}

/// The divergence between what both models predict, with its gradient.
struct DistilledHead {
  private let student: Predictions
  private let teacher: Predictions
  /// The student's head [V, H].
  private let weight: FloatMatrix

  init(student: Predictions, teacher: Predictions) {
    self.student = student
    self.teacher = teacher
    weight = student.head.matrix
  }

  /// KL(source‖student) summed over the rows, and `factor` times its gradient for `hidden`.
  func divergence(
    _ hidden: FloatMatrix, source: FloatMatrix, factor: Float?
  ) -> (sum: Double, gradient: FloatMatrix) {
    let normed = student.normed(hidden)
    let gradient = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    var sum = 0.0
    for first in stride(from: 0, to: hidden.rows, by: Predictions.rowsAtOnce) {
      let rows = first..<min(first + Predictions.rowsAtOnce, hidden.rows)
      let logits = FloatMatrix.product(normed.rows(rows), transposed: weight)
      sum += Predictions.divergence(
        of: logits, from: teacher.logits(source.rows(rows)), factor: factor ?? 0)
      guard factor != nil else { continue }
      gradient.copyRows(of: FloatMatrix.product(logits, weight), to: first)
    }
    guard factor != nil else { return (sum, gradient) }
    hidden.normBackward(
      weight: student.norm, epsilon: student.model.normEpsilon, gradient: gradient,
      into: gradient, weightGradient: nil)
    return (sum, gradient)
  }
}
