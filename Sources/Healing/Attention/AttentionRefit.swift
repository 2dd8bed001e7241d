import Architectures
import Communication
import Kernels
import Runtime
import StepSettings
import Streams

/// Fits each linear layer to give the source's attention output from the healed model's own inputs,
/// so that later layers see, and correct, what earlier ones left.
///
/// Several ranks share the text: each takes its own segments through the layers, and what is fitted
/// on them are the sums over all.
struct AttentionRefit: LayerPass {
  /// The source's stream.
  let source: Track
  /// The healed model's.
  let student: Track
  let settings: HealSettings
  /// Gradient steps per layer.
  let steps: Int

  // The second stage alone needs the source's stream only.
  var tracks: [Track] { settings.method == .none ? [source] : [source, student] }

  func pass(_ layer: SweptLayer) throws -> Healer.LayerReport {
    let mixer = student.model.description.layers[layer.index].mixer
    let refits = settings.method != .none && Healer.refits(mixer, context: settings.context)
    let target =
      refits ? try layer.scratch("target", columns: source.model.description.hiddenSize) : nil
    let massive = try passSource(layer, keeping: target)
    var report = Healer.LayerReport(layer: layer.index, steps: 0, seconds: 0)
    if settings.method == .none { return report }
    var model = student.model
    if let target { model = try refit(layer, to: target, massive, &report) }
    (report.drift, report.sink) = try passStudent(layer, model, massive)
    var others = [Double(massive.others)]
    try layer.segments.ranks.sum(&others)
    report.massiveTokens = Int(others[0])
    return report
  }

  /// Takes the source's stream through the layer, keeping its attention output. Returns the massive
  /// tokens of what leaves it, in the segments of this process.
  private func passSource(
    _ layer: SweptLayer, keeping target: HiddenStream?
  ) throws -> MassiveTokens {
    var massive = MassiveTokens(layer.segments)
    let own = try StreamedLayer(layer.index, of: source.model, on: layer.segments)
    try layer.advance(source) {
      try own.run($0, $1, keepingIn: target)
      massive.add($0, $1)
    }
    own.discardWeights()
    return massive
  }

  /// Fits the layer to the source's attention output; returns the model with what was found.
  private func refit(
    _ layer: SweptLayer, to target: HiddenStream, _ massive: MassiveTokens,
    _ report: inout Healer.LayerReport
  ) throws -> DescribedModel {
    let model = student.model.description
    let weights = try LayerWeights(layer.index, of: model, from: student.model.weights)
    // Errors would only show that something is not finite, not what.
    try weights.requireFinite()
    let trainable = TrainableMixer(
      weights, model: model, gateBias: settings.gateBias)
    let stream = try layer.entering(student)
    let trainer = LayerTrainer(
      layer: trainable,
      data: LayerData(
        index: layer.index, model: model, runner: LayerRunner(weights: weights, model: model),
        student: stream, sinks: try stream.sinks(), target: target, segments: layer.segments,
        massive: massive, sinkWeight: Float(settings.sinkWeight)), settings: settings)
    let result = try trainer.run(steps: steps) { try layer.progress($0, error: $1) }
    (report.before, report.afterRidge, report.after) =
      (result.before, result.afterRidge, result.after)
    guard result.after.isFinite else { throw HealingError.diverged(layer: layer.index) }
    report.steps = result.steps
    report.linearShare = result.linearShare
    return student.model.with(
      try layer.keep(trainable.parameters.tensors(ofLayer: layer.index)))
  }

  /// Takes the sinks and the healed stream through the layer and measures how far it is from the
  /// source's.
  private func passStudent(
    _ layer: SweptLayer, _ model: DescribedModel, _ massive: MassiveTokens
  ) throws -> (drift: Double, sink: Double) {
    let own = try StreamedLayer(
      layer.index, of: model, on: layer.segments, after: layer.entering(student))
    try layer.leaving(student).write(own.sinks, at: -own.sinks.rows)
    var drift = Drift(from: try layer.leaving(source), layer.segments, massive)
    try layer.advance(student) {
      try own.run($0, $1)
      try drift.add($0, $1)
    }
    own.discardWeights()
    return try drift.medians()
  }
}
