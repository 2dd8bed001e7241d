import Architectures
import Checkpoints
import Communication
import Conversion
import Foundation
import Foundations
import Healing
import ModelFiles
import StepSettings
import Streams
import StrictJSON
import TensorTypes

/// Routers made from a text, and experts refitted on it, for `upcycle --router clustered`.
struct ExpertFitting: PreparedStep {
  private let settings: UpcycleSettings
  private let file: ModelFile
  private let teacher: ModelFile?
  private let copies: PreparedCopies
  private let tokens: [Int]

  /// Throws what the fit would, before anything is written.
  init(
    _ file: ModelFile, teacher: ModelFile?, settings: UpcycleSettings, plan: CheckpointPlan,
    copies: PreparedCopies, _ context: Context
  ) throws {
    try teacher?.requireSound()
    self.settings = settings
    self.file = file
    self.teacher = teacher
    self.copies = copies
    let text = try file.textTokens(of: settings.text, limit: settings.tokens)
    tokens = text.tokens
    let rehearsal = try fitter(plan, in: FileManager.default.temporaryDirectory.path)
    if let limit = context.limits.memory, rehearsal.refitBytes > limit.bytes {
      throw HealingError.refitMemory(needed: ByteSize(rehearsal.refitBytes), limit: limit)
    }
    text.notes.forEach(context.note)
  }

  var fingerprint: StepFingerprint {
    StepFingerprint(
      models: [("checkpoint", file)] + (teacher.map { [("teacher", $0)] } ?? []), tokens: tokens,
      settings: settings.fields, texts: settings.text)
  }

  func planned() -> CheckpointPlan { copies.plan }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    let fitter = try fitter(copies.plan, in: workspace())
    let (tensors, reports) = try context.layerByLayer(
      "fitting experts", of: copies.plan.description, line: \.line,
      finished: fitter.finishedReports,
      run: { show, report in try fitter.run(progress: { show($0, "") }, report: report) })
    var record = ExpertFitRecord(
      tokens: tokens.count, layers: reports, before: nil, after: nil, kept: nil)
    var views = tensors.views
    let divergences = try context.ranks.first {
      try fitter.divergences().map { [$0.before, $0.after] }
    }
    if let before = divergences?[0], let after = divergences?[1] {
      (record.before, record.after, record.kept) = (before, after, after < before)
      context.note(
        "held-out divergence from the teacher \(fixed(before, 4)) -> \(fixed(after, 4))"
          + (after < before ? "" : ", not better, so the experts stay copies"))
      // Errors layer by layer may fall while the predictions get worse.
      if !(after < before) { views = views.filter { $0.key.role == .router } }
    }
    var plan = try UpcyclePlan.make(from: copies.dense, settings: settings, fitted: views)
    plan.recipe["fit"] = .object(try JSONObject(recording: record))
    return try copies.measured(plan, context)
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

  private static func list(_ experts: [Int]) -> String {
    experts.map(String.init).joined(separator: ", ")
  }
}
