import Architectures
import Checkpoints
import Conversion
import Foundations
import Healing
import ModelFiles
import StepSettings
import Streams
import StrictJSON

/// The neurons of dense feed-forward parts divided among experts by what they do on a text, for
/// `upcycle --carve`.
struct Carving: PreparedStep {
  private let settings: UpcycleSettings
  private let file: ModelFile
  /// The carved model.
  private let target: ModelDescription
  private let copies: PreparedCopies
  private let tokens: [Int]

  /// Throws what the division would, before anything is written.
  init(
    _ file: ModelFile, settings: UpcycleSettings, target: ModelDescription,
    copies: PreparedCopies, _ context: Context
  ) throws {
    self.settings = settings
    self.file = file
    self.target = target
    self.copies = copies
    let text = try file.textTokens(of: settings.text, limit: settings.tokens)
    tokens = text.tokens
    _ = try carver(in: "")
    text.notes.forEach(context.note)
  }

  var fingerprint: StepFingerprint {
    StepFingerprint(
      models: [("checkpoint", file)], tokens: tokens, settings: settings.fields,
      texts: settings.text)
  }

  func planned() -> CheckpointPlan { copies.plan }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    let carver = try carver(in: workspace())
    let (routers, reports) = try context.layerByLayer(
      "carving", of: target, line: \.line, finished: carver.finishedReports,
      run: { show, report in try carver.run(progress: { show($0, "") }, report: report) })
    let record = CarvingRecord(tokens: tokens.count, layers: reports)
    var plan = try UpcyclePlan.make(
      from: copies.dense, settings: settings, fitted: routers.views,
      partition: NeuronPartition(record.neurons))
    plan.recipe["fit"] = .object(
      try JSONObject(recording: record, order: CarvingRecord.order))
    return try copies.measured(plan, context)
  }

  private func carver(in directory: String) throws -> ExpertCarver {
    try ExpertCarver(
      DescribedModel(file.description, weights: file), into: target, tokens: tokens,
      settings: settings, directory: directory)
  }
}

extension ExpertCarver.LayerReport {
  /// One line for people; nil for a dense layer.
  var line: String? {
    guard !neurons.isEmpty, let least = tokens.min(), let most = tokens.max() else { return nil }
    return "layer \(layer): \(least) to \(most) tokens per expert, error \(fixed(error, 4)) of the "
      + "feed-forward part, \(fixed(fixedError, 4)) with as many neurons that are the same for all "
      + "tokens, \(duration(seconds))"
  }
}
