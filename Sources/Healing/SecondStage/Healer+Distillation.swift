public import Architectures
import Foundation
import Runtime
public import StepSettings
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
    let steps = try decidedSteps().distill
    guard steps > 0 else { return (healed, nil) }
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
        steps: steps, state: &state,
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

  /// Whether there may be a second stage: it is asked for, or time decides and it fits the memory.
  var distills: Bool {
    if let steps = settings.distillSteps { return steps > 0 }
    guard settings.timeLimit != nil else { return false }
    return settings.method == .none || secondStageBytes <= memory
  }

  /// About the most memory that the second stage takes, mapped weights included; 0 without one.
  public var distillationBytes: Int { distills ? secondStageBytes : 0 }

  private var secondStageBytes: Int {
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
    // Attention is held as floats, the rest is mapped. Of what is trained the value, a gradient, two
    // moments, and all but the gradient once more while they are saved.
    let trained = Self.trainedWeights(of: model, settings.distillScope)
    let attention = Self.attentionWeights(of: model) * model.layers.count
    let head = model.vocabularySize * (model.hiddenSize + 3 * Predictions.rowsAtOnce(model))
    let feedForward = 3 * model.hiddenSize * model.layers.reduce(0) { $0 + model.neurons(of: $1) }
    return MemoryLayout<Float>.stride
      * (attention + 6 * trained.attention + head + feedForward + 7 * trained.feedForward)
  }

  /// Bytes on the disk of where a second stage stands, with the one before, while it is saved.
  public static func distillStateBytes(
    of model: ModelDescription, _ settings: HealSettings
  ) -> Int {
    guard settings.distillSteps ?? (settings.timeLimit == nil ? 0 : 1) > 0 else { return 0 }
    let trained = trainedWeights(of: model, settings.distillScope)
    return 2 * 3 * MemoryLayout<Float>.stride * (trained.attention + trained.feedForward)
  }

  private static func attentionWeights(of model: ModelDescription) -> Int {
    2 * model.hiddenSize * (model.queryWidth + model.keyValueWidth)
  }

  /// Weights that a second stage trains.
  private static func trainedWeights(
    of model: ModelDescription, _ scope: DistillScope
  ) -> (attention: Int, feedForward: Int) {
    let matrices = { (layer: LayerDescription) in
      switch scope {
      case .linear, .attention: 0
      case .experts: layer.feedForward.experts == nil ? 0 : 1
      case .all: 3
      }
    }
    return (
      attentionWeights(of: model) * model.layers.count { scope.trains($0.mixer) },
      model.hiddenSize * model.layers.reduce(0) { $0 + matrices($1) * model.neurons(of: $1) }
    )
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

extension ModelDescription {
  /// Neurons of a layer's feed-forward part, of all experts together.
  fileprivate func neurons(of layer: LayerDescription) -> Int {
    layer.feedForward.experts.map { $0.routed * $0.size + $0.sharedSize } ?? feedForwardSize
  }
}
