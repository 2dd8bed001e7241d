public import Architectures
public import Communication
import Foundation
import Kernels
public import Recipes
import Runtime
public import TensorTypes

/// Heals a converted model layer by layer, front to back, against its source.
///
/// Two residual streams of the calibration text lie on disk: the source's and the healed model's.
/// Each linear layer is fitted to give the source's attention output from the healed model's own
/// inputs, so that later layers see, and correct, what earlier ones left. One layer of weights is in
/// memory at a time.
///
/// Several ranks share the text: each takes its own segments through the layers, and what is fitted
/// on them are the sums over all.
public final class Healer {
  /// The converted model.
  public let model: ModelDescription
  /// The source.
  public let teacher: ModelDescription
  let studentWeights: any WeightSource
  let teacherWeights: any WeightSource
  let settings: HealSettings
  let tokens: [Int]
  let segments: Segments
  let ranks: Communicator
  let workspace: Workspace
  /// Bytes that the second stage may take before it computes layers twice.
  let memory: Int
  /// The estimate, once it was made.
  var measured: Estimate?

  /// What is known of a layer after it was passed.
  public struct LayerReport: Sendable, Codable {
    /// The layer.
    public var layer: Int
    /// Held-out relative error of the attention output: as converted, after the closed form, at
    /// the end. Nil for layers that keep softmax attention.
    public var before: Double?
    public var afterRidge: Double?
    public var after: Double?
    /// Gradient steps taken.
    public var steps: Int
    /// The share of linear attention, beside softmax attention in the same layer: the mean squared
    /// norm of what it gives to the output of o_proj, of the sum of both such means. Nil without
    /// parallel branches.
    public var linearShare: Double?
    /// Median over tokens of |source - healed| / |source| of the stream leaving the layer.
    public var drift: Double?
    /// The norm of the massive tokens' stream relative to the source's, the first token of every
    /// segment among them; median. The attention sink lives while it is near 1.
    public var sink: Double?
    /// Massive tokens of the source's stream other than the first ones of segments.
    public var massiveTokens: Int?
    /// Seconds spent.
    public var seconds: Double

    /// Whether the refit left the layer further from the source than it was.
    public var isWorse: Bool {
      guard let before, let after else { return false }
      return !(after <= before)
    }
  }

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
    segments = try Segments(
      of: tokens, limit: settings.tokens, length: settings.context, ranks: ranks)
    self.ranks = ranks
    self.model = model
    self.teacher = teacher
    studentWeights = weights
    self.teacherWeights = teacherWeights
    self.settings = settings
    self.memory = memory ?? Int(ProcessInfo.processInfo.physicalMemory / 4)
    self.tokens = Array(tokens.prefix(segments.tokenCount))
    workspace = Workspace(directory: directory, columns: model.hiddenSize, ranks: ranks)
  }

  private static func check(
    _ model: ModelDescription, against teacher: ModelDescription, _ settings: HealSettings
  ) throws {
    let hasExperts = model.layers.contains { $0.feedForward.experts != nil }
    if hasExperts && settings.method != .none { throw HealingError.expertsLayerByLayer }
    if !hasExperts && settings.distillScope == .experts { throw HealingError.noExperts }
    if model.int8Weights != nil { throw HealingError.unsupported("INT8 weights") }
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
  public func finishedReports() throws -> [LayerReport] {
    try (0..<workspace.finishedLayers()).map { try workspace.report(ofLayer: $0) }
  }

  /// Runs the healing; `report` is called after each layer, `progress` within one with the share
  /// done and the error so far. Returns the refitted tensors.
  public func run(
    progress: (_ layer: Int, _ share: Double, _ error: Double) throws -> Void,
    report: (LayerReport) throws -> Void
  ) throws -> HealedTensors {
    try settings.precision.used { try runLayers(progress: progress, report: report) }
  }

  private func runLayers(
    progress: (_ layer: Int, _ share: Double, _ error: Double) throws -> Void,
    report: (LayerReport) throws -> Void
  ) throws -> HealedTensors {
    var healed = try workspace.healedTensors()
    let start = try workspace.start()
    if start == 0 { try embed() }
    let steps = try ranks.first { try workspace.steps { try timed().steps } }
    for layer in start..<model.layers.count {
      let began = Date()
      let (tensors, found) = try pass(layer, steps: steps, progress: progress)
      if let tensors { healed.merge(tensors) }
      var result = found
      result.seconds = Date().timeIntervalSince(began)
      try workspace.finish(layer, result)
      try report(result)
    }
    return healed
  }

  /// Writes both streams' first state: the embeddings.
  private func embed() throws {
    let source = try workspace.stream(.teacher, entering: 0)
    let student = try workspace.stream(.student, entering: 0)
    let teacherModel = try EmbeddingRows(teacherWeights, model: teacher)
    let studentModel = try EmbeddingRows(studentWeights, model: model)
    for segment in segments.own {
      let first = segments.firstToken(of: segment)
      let ids = tokens[first..<first + segments.length]
      try source.write(teacherModel.rows(ids), at: first)
      try student.write(studentModel.rows(ids), at: first)
    }
    try workspace.stream(.sinks, entering: 0).write(studentModel.sinks, at: 0)
  }

  /// Takes both streams through one layer, refitting it when it is linear.
  private func pass(
    _ layer: Int, steps: Int, progress: (Int, Double, Double) throws -> Void
  ) throws -> (HealedTensors?, LayerReport) {
    let target = try workspace.stream(.target, entering: layer)
    let nextSource = try workspace.stream(.teacher, entering: layer + 1)
    let source = try workspace.stream(.teacher, entering: layer)
    let student = try workspace.stream(.student, entering: layer)
    let refits = refits(layer) && settings.method != .none
    let teacherLayer = LayerPass(
      layer, of: teacher, weights: try LayerWeights(layer, of: teacher, from: teacherWeights),
      segments: segments)
    let massive = try teacherLayer.advance(
      source, to: nextSource, attention: refits ? target : nil)
    teacherLayer.discardWeights()
    var report = LayerReport(layer: layer, steps: 0, seconds: 0)
    // The second stage alone needs the source's stream only.
    if settings.method == .none { return (nil, report) }

    let sinks = try workspace.stream(.sinks, entering: layer).read(0, count: model.sinkCount)
    var weights = try LayerWeights(layer, of: model, from: studentWeights)
    var healed: HealedTensors?
    if refits {
      // Errors would only show that something is not finite, not what.
      try weights.requireFinite()
      let trainable = try TrainableMixer(
        weights, of: model.layers[layer].mixer, model: model, gateBias: settings.gateBias)
      let trainer = LayerTrainer(
        layer: trainable,
        data: LayerData(
          index: layer, model: model, runner: LayerRunner(weights: weights, model: model),
          student: student, sinks: sinks, target: target, segments: segments,
          massive: massive, sinkWeight: Float(settings.sinkWeight)), settings: settings)
      let result = try trainer.run(steps: steps) { share, error in
        try progress(layer, share, error)
      }
      (report.before, report.afterRidge, report.after) =
        (result.before, result.afterRidge, result.after)
      guard result.after.isFinite else { throw HealingError.diverged(layer: layer) }
      report.steps = result.steps
      report.linearShare = result.linearShare
      let tensors = try workspace.keep(
        trainable.parameters.tensors(ofLayer: layer), ofLayer: layer)
      weights = try LayerWeights(
        layer, of: model, from: Overlay(tensors: tensors, below: studentWeights))
      healed = tensors
    }
    let next = try workspace.stream(.student, entering: layer + 1)
    (report.drift, report.sink) = try passStudent(
      layer, weights, sinks: sinks, from: student, to: next, source: nextSource, massive: massive)
    var others = [Double(massive.others)]
    try ranks.sum(&others)
    report.massiveTokens = Int(others[0])
    return (healed, report)
  }

  /// Whether there is something to heal in a model, or to refuse by a better name.
  public static func heals(_ model: ModelDescription, _ settings: HealSettings) -> Bool {
    let scope = settings.distillScope
    return model.layers.contains { layer in
      settings.method == .none
        ? scope.trains(layer.mixer) || scope == .experts
        : refits(layer.mixer, context: settings.context) || layer.feedForward.experts != nil
    }
  }

  /// Whether layers of this kind are fitted to the source: linear layers, and windows that are
  /// shorter than the segments.
  public static func refits(_ mixer: Mixer, context: Int) -> Bool {
    mixer.isLinear || (mixer.windowKeys ?? .max) < context
  }

  func refits(_ layer: Int) -> Bool {
    Healer.refits(model.layers[layer].mixer, context: segments.length)
  }
}

extension HealSettings.Precision {
  /// Runs `body` with this precision.
  func used<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Execution.with(precision: self == .bfloat16 ? .bfloat16 : .float32, body)
  }
}
