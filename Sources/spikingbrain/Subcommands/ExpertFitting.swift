import Architectures
import Checkpoints
import Communication
import Conversion
import Foundation
import Healing
import ModelFiles
import Recipes
import StrictJSON
import TensorTypes

/// Routers made from a text, and experts refitted on it, for `upcycle --router clustered`.
struct ExpertFitting: UpcycleFitting {
  let settings: UpcycleSettings
  let output: OutputOptions
  let file: ModelFile
  let teacher: ModelFile?
  private let tokens: [Int]

  /// Throws what the fit would, before anything is written.
  init(
    _ file: ModelFile, teacher: ModelFile?, settings: UpcycleSettings, output: OutputOptions,
    plan: CheckpointPlan
  ) throws {
    try settings.validateFiles { _ in .commandLine }
    try teacher?.requireSound()
    self.settings = settings
    self.output = output
    self.file = file
    self.teacher = teacher
    tokens = try file.tokens(of: settings.text, limit: settings.tokens)
    let rehearsal = try fitter(plan, in: FileManager.default.temporaryDirectory.path)
    if let limit = output.limits.maxRam, rehearsal.refitBytes > limit.bytes {
      throw HealingError.refitMemory(needed: ByteSize(rehearsal.refitBytes), limit: limit)
    }
  }

  var fingerprint: StepFingerprint {
    StepFingerprint(
      [
        "checkpoint": file.fingerprint, "teacher": teacher?.fingerprint ?? "",
        "text": Fingerprint.of(tokens),
      ], settings: settings.fields,
      files: file.inputs + (teacher?.inputs ?? []), texts: settings.text)
  }

  /// The plan with routers and refitted experts in the place of those of `plan`.
  func fitted(_ plan: CheckpointPlan, in directory: OutputDirectory) throws -> CheckpointPlan {
    let fitter = try fitter(plan, in: directory.workspace())
    let (tensors, reports) = try layerByLayer(
      "fitting experts", line: \.line, finished: fitter.finishedReports,
      run: { try fitter.run(progress: $0, report: $1) })
    var record = JSONObject([
      ("tokens", .int(tokens.count)), ("layers", .array(reports.map(\.json))),
    ])
    var views = tensors.views
    let divergences = try World.ranks.first {
      try fitter.divergences().map { [$0.before, $0.after] }
    }
    if let before = divergences?[0], let after = divergences?[1] {
      record["kl_before"] = .double(before)
      record["kl_after"] = .double(after)
      record["kept"] = .bool(after < before)
      output.reporting.note(
        "held-out divergence from the teacher \(fixed(before, 4)) -> \(fixed(after, 4))"
          + (after < before ? "" : ", not better, so the experts stay copies"))
      // Errors layer by layer may fall while the predictions get worse.
      if !(after < before) { views = views.filter { $0.key.role == .router } }
    }
    var plan = try UpcyclePlan.make(
      from: DenseModel(file), settings: settings, fitted: views)
    plan.recipe["fit"] = .object(record)
    return plan
  }

  private func fitter(_ plan: CheckpointPlan, in directory: String) throws -> ExpertFitter {
    try ExpertFitter(
      DescribedModel(plan.description, weights: PlannedWeights(plan)),
      from: DescribedModel(file.description, weights: file),
      teacher: teacher.map { DescribedModel($0.description, weights: $0) }, tokens: tokens,
      settings: settings, directory: directory)
  }
}

extension ExpertFitter.LayerReport {
  /// One line for people; nil for a dense layer.
  var line: String? {
    guard let least = tokens.min(), let most = tokens.max() else { return nil }
    var text = "layer \(layer): \(least) to \(most) tokens per expert"
    if let before, let after { text += ", error \(fixed(before, 4)) -> \(fixed(after, 4))" }
    if let drift, let sink { text += ", drift \(fixed(drift, 4)), sink \(fixed(sink, 3))" }
    if !few.isEmpty { text += ", too few tokens for expert \(Self.list(few))" }
    if !kept.isEmpty { text += ", no better than the copy: expert \(Self.list(kept))" }
    return text + ", " + duration(seconds)
  }

  /// The report as the manifest records it.
  var json: JSONValue {
    var object = JSONObject([("layer", .int(layer))])
    if !tokens.isEmpty { object["tokens_per_expert"] = .ints(tokens) }
    if let before, let after {
      object["error_before"] = .double(before)
      object["error_after"] = .double(after)
    }
    if !few.isEmpty { object["too_few_tokens"] = .ints(few) }
    if !kept.isEmpty { object["not_better"] = .ints(kept) }
    if let drift, let sink {
      object["drift"] = .double(drift)
      object["sink"] = .double(sink)
    }
    return .object(object)
  }

  private static func list(_ experts: [Int]) -> String {
    experts.map(String.init).joined(separator: ", ")
  }
}
