import Architectures
import Checkpoints
import Communication
import Conversion
import Foundation
import Foundations
import Healing
import ModelFiles
public import StepSettings
import Streams
import StrictJSON
import TensorTypes

/// `heal`: refits the linear layers of a conversion against its source.
public struct HealStep: CheckpointStep {
  public static let name = StepRecord.Name.heal.rawValue
  public static let isComparedWithSource = true
  public let settings: HealSettings

  public init(_ settings: HealSettings) { self.settings = settings }

  public var learns: Bool { true }

  public func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    guard let teacher else { throw InputError.needsTeacher }
    let source = try context.openOther(teacher, after: subject.file)
    return try PreparedHealing(subject, teacher: source, settings, context)
  }
}

/// A healing whose inputs fit each other and the limits.
private struct PreparedHealing: PreparedStep {
  private let settings: HealSettings
  private let subject: Subject
  private let teacher: ModelFile
  private let model: DescribedModel
  private let tokens: [Int]
  private let context: Context
  /// What it takes, where that decides whether it is begun.
  private var estimate: Healer.Estimate?

  init(
    _ subject: Subject, teacher: ModelFile, _ settings: HealSettings, _ context: Context
  ) throws {
    self.settings = settings
    self.teacher = teacher
    self.context = context
    let path = subject.file.path
    var subject = subject
    if case .file(let file) = subject {
      try file.requireSound()
      if let window = settings.window {
        guard let changed = file.withWindow(window) else {
          throw HealingError.noWindow(path: path)
        }
        subject = .file(changed)
      }
    }
    self.subject = subject
    try teacher.requireSound()
    guard Healer.heals(subject.description, settings) else {
      throw HealingError.nothingToHeal(path: path)
    }
    let text = try subject.file.textTokens(of: settings.text, limit: settings.tokens)
    tokens = text.tokens
    var notes = text.notes
    model = DescribedModel(subject.description, weights: try subject.weights())
    // Nothing is touched before the inputs have been found to fit.
    let (stage, needed) = try rehearsal().memoryNeeded()
    if let limit = context.limits.memory, needed > limit.bytes {
      throw HealingError.memory(stage: stage, needed: ByteSize(needed), limit: limit)
    }
    if case .file(let file) = subject, file.fingerprint == teacher.fingerprint {
      throw InputError.ownTeacher(path: path)
    }
    // A resumed run goes on with what was decided at its start.
    if let limit = settings.timeLimit, !context.mode.resume {
      let estimate = try rehearsal().estimate()
      guard estimate.seconds <= 60 * limit else {
        throw InputError.timeLimit(minutes: limit, needed: duration(estimate.seconds))
      }
      self.estimate = estimate
    }
    // A model that was converted from other weights heals towards the wrong ones.
    if case .file(let file) = subject, try file.history().steps.count == 1,
      let manifest = try Manifest(ifIn: file.path), !teacher.isRecorded(in: manifest.source)
    {
      notes.append("note: by its manifest, \(file.path) was not made from \(teacher.path)")
    }
    if subject.description.layers == teacher.description.layers {
      notes.append(
        "note: the teacher has the same layers as the checkpoint, so that there is little to learn "
          + "from it; --teacher is the source the checkpoint was converted from")
    }
    notes.forEach(context.note)
  }

  var fingerprint: StepFingerprint {
    StepFingerprint(
      models: [("checkpoint", subject.file), ("teacher", teacher)], tokens: tokens,
      settings: settings.fields, texts: settings.text,
      // Every process goes on with the streams that it has.
      others: context.ranks.size > 1 ? ["processes": "\(context.ranks.size)"] : [:])
  }

  func planned() throws -> CheckpointPlan {
    switch subject {
    case .file(let file): try plan(file)
    // What healing replaces has the shapes and types of what was there.
    case .planned(let plan, _): plan
    }
  }

  var workspaceBytes: Int {
    // The streams of both models where they enter a layer and where they leave it, in f32.
    4 * tokens.count * model.description.hiddenSize * MemoryLayout<Float>.size
      + Healer.distillStateBytes(of: model.description, settings)
  }

  func prediction() throws -> Report? {
    let estimate = try estimate ?? rehearsal().estimate()
    return Report(
      json: [
        "predicted_seconds": .double(estimate.seconds), "steps": .int(estimate.steps),
        "distill_steps": .int(estimate.distillSteps),
      ],
      text: estimate.text)
  }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    guard case .file(let file) = subject else { throw InputError.notWritten }
    let healer = try healer(in: workspace())
    let started = Date()
    let estimate = try healer.estimate(estimate)
    context.note(estimate.text)
    if context.ranks.size > settings.batch, estimate.steps > 0 {
      context.note(
        "note: a gradient step is shared by segments: with --batch \(context.ranks.size) all "
          + "\(context.ranks.size) processes take part in each, here \(settings.batch)")
    }
    let (tensors, reports, distilled) = try heal(healer, estimate, context)
    let seconds = Date().timeIntervalSince(started)
    if let limit = settings.timeLimit, seconds > 60 * limit {
      context.note(
        "note: it took \(duration(seconds)); --time-limit holds what was predicted at the start, and the "
          + "machine was slower since")
    }
    let warnings = reports.worse.map { [$0] } ?? []
    let record = try JSONObject(
      recording: HealRecord(tokens: tokens.count, layers: reports, distillation: distilled))
    let plan = try plan(
      file, replacing: tensors.views, notes: warnings,
      recipe: JSONObject(
        step: .heal, settings: settings.fields,
        // So that `verify` can still tell where the other tensors are from.
        before: try file.history().recipe
      ).merging(record))
    let healed =
      settings.method == .none
      ? (tensors.views.isEmpty ? "nothing" : "end to end")
      : counted(reports.count { $0.after != nil }, "layer")
    let finding = Report(
      json: [
        "predicted_seconds": .double(estimate.seconds), "layers": record["layers"] ?? .null,
        "warnings": .array(warnings.map { .string($0) }),
      ], text: "healed \(healed) in \(duration(seconds))")
    return (plan, [finding])
  }

  /// Runs both stages, with their progress and a line for each layer.
  private func heal(
    _ healer: Healer, _ estimate: Healer.Estimate, _ context: Context
  ) throws -> (LayerTensors, [Healer.LayerReport], Healer.DistillReport?) {
    var reports = try healer.finishedReports()
    let progress = context.progress("healing")
    defer { progress.finish() }
    let depth = model.description.layers.count
    let schedule = healer.schedule(estimate)
    func show(after layers: Int) {
      progress.update(
        share: schedule.share(layers: Double(layers)),
        detail: "layer \(min(layers, depth - 1)) of \(depth)")
    }
    // What an interrupted run finished is there from the start.
    show(after: reports.count)
    let healed = try healer.run { layer, share, error in
      progress.update(
        share: schedule.share(layers: Double(layer) + share),
        detail: "layer \(layer) of \(depth), error \(fixed(error, 3))")
    } report: { report in
      reports.append(report)
      if settings.method != .none { context.note(report.line) }
      show(after: report.layer + 1)
    }
    progress.begin()
    let (tensors, distilled) = try healer.distill(healed) { share, divergence in
      progress.update(
        share: schedule.share(secondStage: share),
        detail: "second stage, divergence \(fixed(divergence, 4))")
    }
    if let distilled { context.note(distilled.line) }
    return (tensors, reports, distilled)
  }

  private func healer(in directory: String) throws -> Healer {
    try Healer(
      model: model.description, weights: model.weights, teacher: teacher.description,
      teacherWeights: teacher, tokens: tokens, settings: settings, directory: directory,
      memory: context.limits.memory?.bytes, ranks: context.ranks)
  }

  /// A healer that writes nothing.
  private func rehearsal() throws -> Healer {
    try healer(in: FileManager.default.temporaryDirectory.path)
  }

  private func plan(
    _ file: ModelFile, replacing tensors: [TensorAddress: TensorView] = [:], notes: [String] = [],
    recipe: JSONObject = JSONObject()
  ) throws -> CheckpointPlan {
    try ReplacementPlan.make(
      from: file, replacing: tensors, by: .healed, recipe: recipe,
      shardSize: ByteSize(5_000_000_000), notes: notes, reports: [])
  }
}
