public import Architectures
public import Communication
import Foundation
import Kernels
public import Mixers
import Runtime
public import StepSettings
public import Streams
public import TensorTypes

/// Heals a converted model against its source: layer by layer, front to back, as `AttentionRefit`
/// says, and then, where the settings ask for it, through the whole model.
public final class Healer {
  /// The converted model.
  public var model: ModelDescription { student.description }
  let student: DescribedModel
  let source: DescribedModel
  let settings: HealSettings
  let sweep: Sweep
  var segments: Segments { sweep.segments }
  var ranks: Communicator { segments.ranks }
  /// Bytes that the second stage may take before it computes layers twice.
  let memory: Int
  /// The estimate, once it was made.
  var measured: Estimate?

  /// A healer of `model` against `teacher` on `tokens`.
  ///
  /// - Parameters:
  ///   - directory: an existing directory for the streams, which may hold those of an interrupted
  ///     run of the same healing.
  ///   - memory: bytes that may be used; nil for a quarter of the machine's.
  ///   - ranks: who heals; all see the same directory and the same weights.
  public init(
    model: ModelDescription, weights: any WeightSource, teacher: ModelDescription,
    teacherWeights: any WeightSource, tokens: [Int], settings: HealSettings, directory: String,
    memory: Int? = nil, ranks: Communicator = .single
  ) throws {
    try Healer.check(model, against: teacher, settings)
    student = DescribedModel(model, weights: weights)
    source = DescribedModel(teacher, weights: teacherWeights)
    self.settings = settings
    self.memory = memory ?? Int(ProcessInfo.processInfo.physicalMemory / 4)
    let segments = try Segments(
      of: tokens, limit: settings.tokens, length: settings.context, ranks: ranks)
    sweep = Sweep(of: segments, layers: model.layers.count, in: directory)
  }

  private static func check(
    _ model: ModelDescription, against teacher: ModelDescription, _ settings: HealSettings
  ) throws {
    let hasExperts = model.layers.contains { $0.feedForward.experts != nil }
    if !hasExperts && settings.distillScope == .experts { throw HealingError.noExperts }
    if let codes = model.quantization?.codes {
      throw HealingError.unsupported("\(codes.text) weights")
    }
    if model.spiking != nil { throw HealingError.unsupported("spiking thresholds") }
    try requireSameStreams(model, teacher)
  }

  /// Throws when the residual streams of two models cannot be compared.
  static func requireSameStreams(_ model: ModelDescription, _ teacher: ModelDescription) throws {
    func require(_ same: Bool, _ what: String) throws {
      if !same { throw HealingError.differentModels(what) }
    }
    try require(teacher.sinkCount == 0, "it has sink tokens")
    try require(model.layers.count == teacher.layers.count, "another number of layers")
    try require(model.hiddenSize == teacher.hiddenSize, "another hidden size")
    try require(
      model.heads == teacher.heads && model.keyValueHeads == teacher.keyValueHeads
        && model.headDim == teacher.headDim, "other heads")
    try require(model.vocabularySize == teacher.vocabularySize, "another vocabulary")
  }

  /// What an interrupted run, if there was one, found of the layers it finished.
  public func finishedReports() throws -> [LayerReport] { try sweep.finishedReports() }

  /// Runs the healing; `report` is called after each layer, `progress` within one with the share
  /// done and the error so far. Returns the refitted tensors.
  public func run(
    progress: (_ layer: Int, _ share: Double, _ error: Double) throws -> Void,
    report: (LayerReport) throws -> Void
  ) throws -> LayerTensors {
    let steps = try decidedSteps().first
    return try settings.precision.used {
      try sweep.run(
        refit(steps: steps), progress: { try progress($0.layer, $0.share, $0.error ?? 0) },
        report: report)
    }
  }

  /// The gradient steps of both stages, decided once: a time limit depends on how busy the machine is.
  func decidedSteps() throws -> (first: Int, distill: Int) {
    let steps = try ranks.first {
      try sweep.workspace.once("steps") {
        let estimate = try timed()
        return [estimate.steps, estimate.distillSteps]
      }
    }
    return (steps[0], steps[1])
  }

  /// What is done at each layer, with `steps` gradient steps.
  func refit(steps: Int) -> AttentionRefit {
    AttentionRefit(source: sourceTrack, student: studentTrack, settings: settings, steps: steps)
  }

  /// The source's stream, and the healed model's.
  var sourceTrack: Track { Track("teacher", of: source) }
  var studentTrack: Track { Track("student", of: student) }

  /// Whether there is something to heal in a model, or to refuse by a better name.
  public static func heals(_ model: ModelDescription, _ settings: HealSettings) -> Bool {
    let scope = settings.distillScope
    return model.layers.contains { layer in
      settings.method == .none
        ? scope.trains(layer.mixer) || scope == .experts
        : refits(layer.mixer, context: settings.context)
    }
  }

  /// Whether layers of this kind are fitted to the source: linear layers, and windows that are
  /// shorter than the segments.
  public static func refits(_ mixer: Mixer, context: Int) -> Bool {
    mixer.isLinear || (mixer.window?.keys ?? .max) < context
  }

  func refits(_ layer: Int) -> Bool {
    Healer.refits(model.layers[layer].mixer, context: settings.context)
  }
}

extension ProductPrecision {
  /// Runs `body` with this precision.
  func used<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Execution.with(precision: self == .bfloat16 ? .bfloat16 : .float32, body)
  }
}
