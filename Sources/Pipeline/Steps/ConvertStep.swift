import Architectures
import Checkpoints
import Communication
import Conversion
import Foundation
import Healing
import ModelFiles
import Runtime
public import StepSettings
import StrictJSON
import Verification

/// `convert`: a Transformer becomes a SpikingBrain checkpoint.
public struct ConvertStep: CheckpointStep {
  public static let name = StepRecord.Name.convert.rawValue
  public static let isComparedWithSource = true
  public let settings: ConvertSettings

  public init(_ settings: ConvertSettings) { self.settings = settings }

  /// The model types that are converted.
  public static var sources: [String] {
    Architectures.all.filter { $0.isSource }.map { $0.modelType }
  }

  public func readsHeadersOnly(_ context: Context) -> Bool {
    guard context.isDryRun, settings.lora == nil else { return false }
    if case .auto = settings.attentionLayers { return false }
    return true
  }

  public func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    guard case .file(let given) = subject else {
      throw ConversionError.notASource(
        path: subject.file.path, modelType: subject.description.modelType)
    }
    let source = try given.merging(settings.lora.map(context.local))
    guard case .auto(let count) = settings.attentionLayers else {
      return PreparedConversion(
        source: source, settings: settings,
        plan: try ConversionPlan.make(from: source, settings: settings))
    }
    // Whatever else is wrong is found before the measurement, and before anything is written.
    return PreparedChoice(
      source: source, settings: settings,
      choice: try LayerChoice(count, settings, of: source, context),
      context: context)
  }
}

/// A conversion whose layers are known.
private struct PreparedConversion: PreparedStep {
  let source: ModelFile
  let settings: ConvertSettings
  let plan: CheckpointPlan

  var fingerprint: StepFingerprint {
    StepFingerprint(models: [("source", source)], settings: settings.fields)
  }

  func planned() -> CheckpointPlan { plan }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    guard settings.layout == .intraLayer else { return (plan, []) }
    return try context.measured(plan) {
      let distances = try BranchDistances(of: source, settings: settings, limits: context.limits)
      return Report(json: distances.json, text: distances.text)
    }
  }
}

/// A conversion that first measures which layers keep window attention.
///
/// The plan then holds the list that was found, and the measurement as a record: what reads the
/// manifest later needs no text.
private struct PreparedChoice: PreparedStep {
  let source: ModelFile
  let settings: ConvertSettings
  let choice: LayerChoice
  let context: Context

  var fingerprint: StepFingerprint {
    StepFingerprint(
      models: [("source", source)], tokens: choice.tokens, settings: settings.fields,
      texts: settings.text)
  }

  /// Which layers are chosen changes nothing in a plan's counts, so that the first ones stand for
  /// them.
  func planned() throws -> CheckpointPlan { try choice.anyPlan(source) }

  /// A dry run measures too, with the streams in a temporary directory.
  func shown() throws -> CheckpointPlan {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("spikingbrain-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try measured(in: { directory.path }).plan(source, settings)
  }

  private func measured(in workspace: () throws -> String) throws -> LayerSelectionRecord {
    try context.ranks.first {
      let ranking = try choice.ranking(source, directory: workspace())
      try context.predict {
        try PredictedTime(work: ranking.work, of: source, on: choice.tokens, context)
      }
      let progress = context.progress("measuring layers")
      defer { progress.finish() }
      let scores = try ranking.scores { progress.update(share: $0) }
      return choice.selection(scores)
    }
  }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    let selection = try measured(in: workspace)
    let plan = try selection.plan(source, settings)
    return (plan, [Report(json: JSONObject(), text: selection.text)])
  }
}
