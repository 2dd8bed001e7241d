import Architectures
import Foundation
import Runtime
import StepSettings
public import Streams

extension Healer {
  /// What the second stage did.
  public struct DistillReport: Sendable {
    /// Gradient steps.
    public var steps: Int
    /// Held-out KL divergence of the source's predictions from the model's, in nats per token.
    public var before: Double
    public var after: Double
    /// Seconds spent, of the last run only when it was resumed.
    public var seconds = 0.0
  }

  /// Runs the second stage on the result of the first, when the settings ask for it.
  ///
  /// Call after `run`, whose last streams it reads. Keeps the first stage's result when the second
  /// does not make it better.
  public func distill(
    _ healed: LayerTensors, progress: (_ share: Double, _ divergence: Double) throws -> Void
  ) throws -> (LayerTensors, DistillReport?) {
    guard settings.distillSteps > 0 else { return (healed, nil) }
    let began = Date()
    let trainable = try TrainableModel(
      student.with(healed), teacher: source, scope: settings.distillScope, recomputes: recomputes)
    let distiller = Distiller(
      model: trainable, segments: segments,
      source: try sweep.stream(sourceTrack, entering: sweep.depth), settings: settings,
      together: together)
    var state = try sweep.workspace.distillState(of: trainable)
    var report = try settings.precision.used {
      try distiller.run(
        steps: settings.distillSteps, state: &state,
        save: { try sweep.workspace.save($0, of: trainable) }, progress: progress)
    }
    report.seconds = Date().timeIntervalSince(began)
    guard report.after < report.before else { return (healed, report) }
    var result = healed
    for (layer, parameters) in trainable.parameters {
      result.merge(parameters.tensors(ofLayer: layer))
    }
    return (result, report)
  }

  /// About the most memory that the second stage takes, mapped weights included; 0 without one.
  public var distillationBytes: Int {
    guard settings.distillSteps > 0 else { return 0 }
    let layer = together * segmentBytes / model.layers.count
    return distilledBytes + layer + (recomputes ? streamBytes : together * segmentBytes)
  }

  /// Whether layers are computed again on the way back, because their activations do not fit.
  var recomputes: Bool { distilledBytes + together * segmentBytes > memory }

  /// Segments that pass through the whole model together; whatever the memory is, so that it does
  /// not change the result.
  var together: Int { min(settings.distillBatch, max(1, (768 << 20) / segmentBytes)) }

  /// Weights, gradients and moments.
  private var distilledBytes: Int {
    let scope = settings.distillScope
    let attention = model.hiddenSize * 2 * (model.queryWidth + model.keyValueWidth)
    let trained = model.layers.count { scope.trains($0.mixer) }
    // The value; and for what is trained a gradient, two moments, and all but the gradient once more
    // while they are saved.
    let mixers = attention * (model.layers.count + 6 * trained)
    let head = model.vocabularySize * (model.hiddenSize + 3 * Predictions.rowsAtOnce(model))
    let feedForward = model.layers.reduce(0) { sum, layer in
      guard let experts = layer.feedForward.experts else { return sum + 3 * model.feedForwardSize }
      let neurons = experts.routed * experts.size + experts.sharedSize
      return sum + neurons * (scope == .experts ? 3 + 7 : 3)
    }
    return MemoryLayout<Float>.stride * (mixers + head + model.hiddenSize * feedForward)
  }

  /// Activations of a segment in all layers.
  private var segmentBytes: Int {
    (model.sinkCount + segments.length) * TrainableModel.traceBytes(model)
  }

  /// The streams that enter the layers.
  private var streamBytes: Int {
    together * segments.length * model.hiddenSize * model.layers.count * MemoryLayout<Float>.stride
  }
}
