import Architectures
public import ArgumentParser
import Checkpoints
import Communication
import Conversion
import Foundation
import Healing
import Kernels
import ModelFiles
public import Recipes
import StrictJSON
import TensorTypes
import Tokenization

/// `heal`: refits the linear layers of a conversion against its source.
struct Heal: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Refits converted linear layers against the source model, on a CPU.",
    discussion: """
      Layer by layer, each linear layer is fitted to give the source's attention output on a \
      calibration text: in closed form, by gradients, and in closed form again. --distill-steps \
      then trains linear layers, all attention or experts through the whole model. Use other text \
      for evaluation than for healing.
      """)

  @Argument(help: "The converted or upcycled checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("The source it was converted from.", valueName: "ckpt"))
  var teacher: String

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Calibration texts.", valueName: "file"))
  var text: [String]

  @Option(
    name: .customLong("output"), help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var out: String

  @Option(help: "Tokens of the texts to use.")
  var tokens = HealSettings().tokens

  @Option(help: "Tokens per segment.")
  var context = HealSettings().context

  @Option(
    help: ArgumentHelp(
      "Sliding window of the healed model; default: the checkpoint's.", valueName: "tokens"))
  var window: Int?

  @Option(help: "How each layer is refitted.")
  var method = HealSettings().method

  @Option(help: "Gradient steps per layer.")
  var steps = HealSettings().steps

  @Option(help: "Segments per gradient step.")
  var batch = HealSettings().batch

  @Option(help: "Peak learning rate of the projections.")
  var learningRate = HealSettings().learningRate

  @Option(parsing: .unconditional, help: "Where the biases of the decay gates start.")
  var gateBias = HealSettings().gateBias

  @Option(help: "Weight of the first token, which carries the attention sink.")
  var sinkWeight = HealSettings().sinkWeight

  @Option(
    help: """
      Gradient steps of a second stage, which trains through the whole model towards the source's \
      logits.
      """)
  var distillSteps = HealSettings().distillSteps

  @Option(help: "Peak learning rate of the second stage.")
  var distillLearningRate = HealSettings().distillLearningRate

  @Option(
    help: """
      What the second stage trains: linear attention, all attention, or the experts' down \
      projections.
      """)
  var distillScope = HealSettings().distillScope

  @Option(
    help: "What matrix products round their operands to, where the processor gains from it.")
  var precision = HealSettings().precision

  @Option(help: ArgumentHelp("Most minutes to spend.", valueName: "minutes"))
  var timeLimit: Double?

  @Option(help: "Seed of the batches.")
  var seed: UInt64 = 0

  @OptionGroup var output: OutputOptions

  func run() throws {
    var settings = HealSettings()
    settings.text = text
    settings.tokens = tokens
    settings.context = context
    settings.window = window
    settings.method = method
    settings.steps = steps
    settings.batch = batch
    settings.learningRate = learningRate
    settings.gateBias = gateBias
    settings.sinkWeight = sinkWeight
    settings.distillSteps = distillSteps
    settings.distillLearningRate = distillLearningRate
    settings.distillScope = distillScope
    settings.precision = precision
    settings.timeLimit = timeLimit
    settings.seed = seed
    output.reporting.report(
      try HealRunner(settings: settings, output: output).run(ckpt, teacher: teacher, to: out))
  }
}

extension HealSettings.Method: ExpressibleByArgument {}
extension HealSettings.DistillScope: ExpressibleByArgument {}
extension HealSettings.Precision: ExpressibleByArgument {}

/// Heals a checkpoint and writes the result, for `heal` and for recipes.
struct HealRunner {
  let settings: HealSettings
  let output: OutputOptions

  /// Heals `path` against `teacher` into the directory `out`; returns what to report.
  func run(_ path: String, teacher: String, to out: String) throws -> Report {
    try settings.validate { _ in .commandLine }
    try output.limits.apply()
    let source = try ModelFile.open(teacher)
    var file = try ModelFile.open(path)
    try file.requireSound()
    if let window = settings.window {
      guard let changed = file.withWindow(window) else {
        throw HealingError.noWindow(path: path)
      }
      file = changed
    }
    try source.requireSound()
    guard Healer.heals(file.description, settings) else {
      throw HealingError.nothingToHeal(path: path)
    }
    let tokens = try file.tokens(of: settings.text, limit: settings.tokens)
    // Nothing is touched before the inputs have been found to fit.
    let model = DescribedModel(file.description, weights: file)
    let rehearsal = try rehearsal(model, source, tokens: tokens)
    if let note = sameLayers(file, source) { output.reporting.note(note) }
    if output.dryRun { return try describe(file, prediction(rehearsal), to: out) }
    let fingerprint = fingerprint(file, source, tokens)
    if let report = try output.finished(out, fingerprint) { return report }
    let directory = try output.begin(out, fingerprint)
    return try directory.orAbandon {
      return try heal(file, source, tokens: tokens, to: out, directory, fingerprint)
    }
  }

  private func heal(
    _ file: ModelFile, _ source: ModelFile, tokens: [Int], to out: String,
    _ directory: OutputDirectory, _ fingerprint: StepFingerprint
  ) throws -> Report {
    let healer = try healer(
      DescribedModel(file.description, weights: file), source, tokens: tokens,
      directory: directory.workspace())
    let started = Date()
    let estimate = try healer.estimate()
    output.reporting.note("\(estimate.text)")
    var reports = try healer.finishedReports()
    let progress = Progress("healing", quiet: output.reporting.quiet)
    defer { progress.finish() }
    let depth = file.description.layers.count
    let schedule = healer.schedule(estimate)
    // What an interrupted run finished is there from the start.
    progress.update(
      share: schedule.share(layers: Double(reports.count)),
      detail: "layer \(min(reports.count, depth - 1)) of \(depth)")
    let healed = try healer.run { layer, share, error in
      progress.update(
        share: schedule.share(layers: Double(layer) + share),
        detail: "layer \(layer) of \(depth), error \(fixed(error, 3))")
    } report: { report in
      reports.append(report)
      if settings.method != .none { output.reporting.note(report.line) }
      progress.update(
        share: schedule.share(layers: Double(report.layer + 1)),
        detail: "layer \(min(report.layer + 1, depth - 1)) of \(depth)")
    }
    progress.begin()
    let (tensors, distilled) = try healer.distill(healed) { share, divergence in
      progress.update(
        share: schedule.share(secondStage: share),
        detail: "second stage, divergence \(fixed(divergence, 4))")
    }
    if let distilled { output.reporting.note(distilled.line) }
    progress.finish()
    let warnings = reports.worse.map { [$0] } ?? []
    let plan = try plan(
      file, replacing: tensors.views, notes: warnings,
      recipe: JSONObject([
        ("step", "heal"),
        ("settings", .object(JSONObject(strings: settings.fields))),
        ("tokens", .int(tokens.count)),
        ("fingerprint", fingerprint.json),
        // So that `verify` can still tell where the other tensors are from.
        ("of", try Manifest(ifIn: file.path)?.recipe ?? .null),
        ("layers", .array(reports.map(\.json))),
        ("distillation", distilled?.json ?? .null),
      ]))
    let executor = try CheckpointExecutor(
      plan, tool: .init(name: "spikingbrain", version: ProgramVersion.current),
      ranks: World.ranks)
    try executor.write(to: directory)
    for warning in warnings { output.reporting.note("warning: \(warning)") }
    let seconds = Date().timeIntervalSince(started)
    return Report(
      json: [
        "output": .string(out), "seconds": .double(seconds),
        "predicted_seconds": .double(estimate.seconds),
        "layers": .array(reports.map(\.json)),
        "warnings": .array(warnings.map { .string($0) }),
      ],
      text: "wrote \(out): healed "
        + (settings.method == .none
          ? (tensors.views.isEmpty ? "nothing" : "end to end")
          : counted(reports.count { $0.after != nil }, "layer")) + " in "
        + duration(seconds))
  }

  /// What healing a conversion that is not written yet would take.
  func predict(_ plan: CheckpointPlan, teacher: String) throws -> Report {
    try settings.validate { _ in .commandLine }
    let source = try ModelFile.open(teacher)
    let tokens = try source.tokens(of: settings.text, limit: settings.tokens)
    let model = DescribedModel(plan.description, weights: PlannedWeights(plan))
    return try prediction(rehearsal(model, source, tokens: tokens))
  }

  private func healer(
    _ model: DescribedModel, _ source: ModelFile, tokens: [Int], directory: String
  ) throws -> Healer {
    try Healer(
      model: model.description, weights: model.weights, teacher: source.description,
      teacherWeights: source, tokens: tokens, settings: settings, directory: directory,
      memory: output.limits.maxRam?.bytes, ranks: World.ranks)
  }

  /// A healer that writes nothing, of what fits the limits.
  private func rehearsal(
    _ model: DescribedModel, _ source: ModelFile, tokens: [Int]
  ) throws -> Healer {
    let temporary = FileManager.default.temporaryDirectory.path
    let healer = try healer(model, source, tokens: tokens, directory: temporary)
    if let limit = output.limits.maxRam {
      let (stage, needed) = try healer.memoryNeeded()
      if needed > limit.bytes {
        throw HealingError.memory(stage: stage, needed: ByteSize(needed), limit: limit)
      }
    }
    return healer
  }

  /// What the healing would take, without doing it.
  private func prediction(_ rehearsal: Healer) throws -> Report {
    let estimate = try rehearsal.estimate()
    return Report(
      json: ["predicted_seconds": .double(estimate.seconds), "steps": .int(estimate.steps)],
      text: estimate.text)
  }

  private func plan(
    _ file: ModelFile, replacing tensors: [TensorAddress: TensorView] = [:], notes: [String] = [],
    recipe: JSONObject = JSONObject()
  ) throws -> CheckpointPlan {
    try ReplacementPlan.make(
      from: file, replacing: tensors, by: .healed, recipe: recipe,
      shardSize: ByteSize(5_000_000_000), notes: notes, reports: [])
  }

  /// The prediction with what would be written.
  private func describe(
    _ file: ModelFile, _ prediction: Report, to out: String
  ) throws -> Report {
    let report = try PlanRunner(output: output).run(plan(file), from: [], to: out)
    var json = report.json.object ?? JSONObject()
    for (key, value) in prediction.json.object?.members ?? [] { json[key] = value }
    return Report(json: .object(json), text: prediction.text + "\n" + report.text)
  }

  /// A note when the teacher computes no layer otherwise than the checkpoint; nil when it does.
  private func sameLayers(_ file: ModelFile, _ source: ModelFile) -> String? {
    guard file.description.layers == source.description.layers else { return nil }
    return "note: the teacher has the same layers as the checkpoint, so that there is little to "
      + "learn from it; --teacher is the source the checkpoint was converted from"
  }

  private func fingerprint(
    _ file: ModelFile, _ source: ModelFile, _ tokens: [Int]
  ) -> StepFingerprint {
    var digests = [
      "checkpoint": file.fingerprint, "teacher": source.fingerprint,
      "text": Fingerprint.of(tokens),
    ]
    // Every process goes on with the streams that it has.
    if World.ranks.size > 1 { digests["processes"] = "\(World.ranks.size)" }
    return StepFingerprint(
      digests, settings: settings.fields,
      files: file.inputs + source.inputs, texts: settings.text)
  }
}

extension Healer.LayerReport {
  /// One line for people.
  var line: String {
    var text = "layer \(layer): "
    if let before, let afterRidge, let after {
      text += "error \(fixed(before, 3)) -> \(fixed(afterRidge, 3)) -> \(fixed(after, 3)), "
    }
    if let linearShare { text += "linear branch \(fixed(100 * linearShare, 1)) %, " }
    if let drift, let sink {
      text += "drift \(fixed(drift, 4)), sink \(fixed(sink, 3)), "
      if let massiveTokens, massiveTokens > 0 {
        text += counted(massiveTokens, "more massive token") + ", "
      }
    }
    return text + duration(seconds)
  }
}

extension [Healer.LayerReport] {
  /// Which layers are further from the source than before, in words; nil when none is.
  var worse: String? {
    let worse = filter(\.isWorse)
    guard !worse.isEmpty else { return nil }
    let layers = worse.map { "\($0.layer)" }.joined(separator: ", ")
    return
      "the held-out error of \(counted(worse.count, "layer")) grew (\(layers)): more --tokens or "
      + "a smaller --learning-rate may help"
  }
}

extension Healer.LayerReport {
  /// The report as the manifest records it.
  var json: JSONValue {
    var object = JSONObject([("layer", .int(layer))])
    if let before, let afterRidge, let after {
      object["error_before"] = .double(before)
      object["error_after_ridge"] = .double(afterRidge)
      object["error_after"] = .double(after)
      object["steps"] = .int(steps)
    }
    if let linearShare { object["linear_share"] = .double(linearShare) }
    if let drift, let sink {
      object["drift"] = .double(drift)
      object["sink"] = .double(sink)
      object["massive_tokens"] = .int(massiveTokens ?? 0)
    }
    return .object(object)
  }
}

extension Healer.DistillReport {
  /// One line for people.
  var line: String {
    "second stage: \(counted(steps, "step")), held-out divergence \(fixed(before, 4)) -> \(fixed(after, 4)), "
      + (after < before
        ? duration(seconds)
        : "not better, so left out; a smaller --distill-learning-rate may help, "
          + duration(seconds))
  }

  /// The report as the manifest records it.
  var json: JSONValue {
    .object(
      JSONObject([
        ("steps", .int(steps)), ("kl_before", .double(before)), ("kl_after", .double(after)),
        ("kept", .bool(after < before)),
      ]))
  }
}

extension Healer.Estimate {
  /// The prediction in words.
  var text: String {
    var parts = ["\(duration(passes)) for the streams"]
    if solutions > 0 { parts.append("\(duration(solutions)) for closed forms") }
    if steps > 0 {
      parts.append("\(duration(step * Double(steps))) for \(counted(steps, "step")) in each layer")
    }
    if distillation > 0 { parts.append("\(duration(distillation)) for the second stage") }
    return "predicted: \(duration(seconds)) (\(parts.joined(separator: ", ")))"
  }
}
