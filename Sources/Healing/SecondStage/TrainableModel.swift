import Architectures
import Kernels
import Mixers
import Runtime
import StepSettings
import Streams

/// A whole converted model whose attention, experts or all layers can be trained against the source's
/// logits; norms around the parts, routers, embedding and head stay as they are.
final class TrainableModel {
  let model: ModelDescription
  private let layers: [TrainableLayer]
  private let embedding: EmbeddingRows
  private let head: DistilledHead
  /// Whether layers are computed again on the way back instead of kept: a third more time, and the
  /// memory of one layer.
  private let recomputes: Bool

  /// The trainable form of `student`; `teacher` gives the targets.
  init(
    _ student: DescribedModel, teacher: DescribedModel, scope: DistillScope,
    recomputes: Bool
  ) throws {
    model = student.description
    self.recomputes = recomputes
    layers = try model.layers.indices.map {
      try TrainableLayer($0, of: student, scope: scope)
    }
    embedding = try EmbeddingRows(student.weights, model: model)
    head = try DistilledHead(student: Predictions(of: student), teacher: Predictions(of: teacher))
  }

  /// The trained parameters of every layer, by layer.
  var parameters: [(layer: Int, parameters: [Parameter])] {
    layers.enumerated().map { ($0, $1.parameters) }.filter { !$0.1.isEmpty }
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
  ) throws -> Double {
    var hidden = try embedding.rows(tokens, segments: segments)
    let batch = TrainableLayer.Batch(tokens, segments: segments, sinkCount: model.sinkCount)
    guard let factor else {
      for layer in layers { hidden = layer(hidden, batch).value }
      let text = hidden.withoutSinks(model.sinkCount, segments: segments)
      return try head.divergence(text, source: source, factor: nil).sum
    }
    // Nothing below the first trained layer needs a gradient.
    let first = layers.firstIndex { !$0.parameters.isEmpty } ?? 0
    var traces: [Traced] = []
    for (index, layer) in layers.enumerated() {
      let input = hidden
      let trace = layer(input, batch)
      hidden = trace.value
      if index < first { continue }
      traces.append(
        recomputes
          ? Traced(value: hidden) { layer(input, batch).pullback($0, $1) }
          : trace)
    }
    let text = hidden.withoutSinks(model.sinkCount, segments: segments)
    let result = try head.divergence(text, source: source, factor: factor)
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
    let branches = model.layers.contains { $0.mixer.isHybrid } ? 2 : 1
    let mixer = 4 * model.hiddenSize + 4 * branches * model.queryWidth + 6 * model.keyValueWidth
    let perToken = model.layers.map { layer in
      guard let experts = layer.feedForward.experts else {
        return mixer + 3 * model.feedForwardSize
      }
      // What routed experts read and make is kept for each of them.
      return mixer + 3 * experts.activeSize + 2 * (experts.chosen + 1) * model.hiddenSize
    }
    return perToken.reduce(0, +) * MemoryLayout<Float>.stride
  }
}

/// A layer of the whole model: its attention and its feed-forward part, either of which may be
/// trained.
struct TrainableLayer {
  let mixer: TrainableMixer
  private let feedForward: TrainableFeedForward
  private let mixerPart, feedForwardPart: ResidualPart

  init(_ index: Int, of student: DescribedModel, scope: DistillScope) throws {
    let model = student.description
    let weights = try LayerWeights(index, of: model, from: student.weights)
    // Losses would only show that something is not finite, not what.
    try weights.requireFinite()
    let kind = model.layers[index].mixer
    mixerPart = ResidualPart(ofMixer: weights, model)
    feedForwardPart = ResidualPart(ofFeedForward: weights, model)
    mixer = TrainableMixer(
      weights, model: model, gateBias: nil, isTrained: scope.trains(kind))
    feedForward = TrainableFeedForward(weights, scope: scope)
  }

  /// Everything that is trained.
  var parameters: [Parameter] { mixer.parameters + feedForward.parameters }

  /// Whole segments that pass through the layers together.
  struct Batch {
    let segments: Int
    /// Token id + position of each token, sinks included, see `Routing`.
    let offsets: [Int]

    init(_ tokens: some Collection<Int>, segments: Int, sinkCount: Int) {
      self.segments = segments
      let length = tokens.count / segments, tokens = Array(tokens)
      let sinks = Passage(position: 0, areSinks: true).offsets(
        count: sinkCount, sinkCount: sinkCount)
      offsets = (0..<segments).flatMap { segment in
        var passage = Passage(position: 0)
        passage.tokens = Array(tokens[segment * length..<(segment + 1) * length])
        return sinks + passage.offsets(count: length, sinkCount: sinkCount)
      }
    }
  }

  /// The stream [T, H] after the layer, for whole segments.
  func callAsFunction(_ hidden: FloatMatrix, _ batch: Batch) -> Traced {
    let mixed = mixerPart(hidden) { mixer($0, segments: batch.segments) }
    let middle = hidden.copy
    middle.add(mixed.value)
    let fed = feedForwardPart(middle) { feedForward($0, offsets: batch.offsets) }
    let output = middle.copy
    output.add(fed.value)
    return Traced(value: output) { gradient, inputGradient in
      let middleGradient = gradient.copy
      fed.pullback(gradient, middleGradient)
      mixed.pullback(middleGradient, inputGradient)
      inputGradient?.add(middleGradient)
    }
  }
}

extension DistillScope {
  /// Whether attention of this kind is trained.
  func trains(_ mixer: Mixer) -> Bool {
    switch self {
    case .linear: mixer.isLinear
    case .attention, .all: true
    case .experts: false
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
  ) throws -> (sum: Double, gradient: FloatMatrix) {
    let normed = student.normed(hidden)
    let gradient = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    var sum = 0.0
    let step = Predictions.rowsAtOnce(student.model)
    for first in stride(from: 0, to: hidden.rows, by: step) {
      let rows = first..<min(first + step, hidden.rows)
      let logits = FloatMatrix.product(normed.rows(rows), transposed: weight)
      logits.finishLogits(of: student.model)
      // The divergence puts its gradient in their place.
      let finished = factor != nil && student.model.softCaps.logits != nil ? logits.copy : logits
      sum += Predictions.divergence(
        of: logits, from: try teacher.logits(source.rows(rows)), factor: factor ?? 0)
      guard factor != nil else { continue }
      logits.becomeGradient(ofFinished: finished, of: student.model)
      gradient.copyRows(of: FloatMatrix.product(logits, weight), to: first)
    }
    guard factor != nil else { return (sum, gradient) }
    hidden.normBackward(
      weight: student.norm, epsilon: student.model.normEpsilon, gradient: gradient,
      into: gradient, weightGradient: nil)
    return (sum, gradient)
  }
}
