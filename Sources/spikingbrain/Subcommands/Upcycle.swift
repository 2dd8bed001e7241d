import ArgumentParser
import Checkpoints
import Communication
import Conversion
import ModelFiles
import Recipes
import Runtime
import StrictJSON
import TensorTypes
import Verification

/// `upcycle`: dense feed-forward parts become experts.
struct Upcycle: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns dense feed-forward parts into experts that are copies or parts of them.",
    discussion: """
      Every expert is a scaled copy, so that the model computes what it did; how far it is from \
      that is measured before anything is written. Copies have to be trained to be worth more; \
      --router clustered with --teacher refits them to regions of a text instead, so that they \
      repair some of what a conversion lost.

      With --carve experts are parts instead: every neuron goes to one of them, and a token passes \
      through the shared expert and --top-k others: fewer neurons, less exact.
      """)

  @Argument(help: "A dense checkpoint: a source or a converted one.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @Option(
    help: ArgumentHelp(
      "With --router clustered: refit each expert on its region towards this model, usually the "
        + "source of the conversion.", valueName: "ckpt"))
  var teacher: String?

  @OptionGroup var options: UpcycleOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    let settings = try options.settings()
    if let teacher, settings.router != .clustered {
      throw InputError.option("--teacher", value: teacher, expected: "only with --router clustered")
    }
    let file = try ModelFile.open(ckpt)
    output.reporting.report(
      try UpcycleRunner(settings: settings, output: output)
        .run(file, teacher: teacher.map { try ModelFile.open($0) }, to: out))
  }
}

/// Upcycles one checkpoint, the same way for the subcommand and for recipes.
struct UpcycleRunner {
  let settings: UpcycleSettings
  let output: OutputOptions

  /// Memory for weights while distances are measured, when no limit is given.
  private static let measuringMemory = 1 << 30

  /// Writes the upcycled `file` to the directory `out`, or describes it.
  ///
  /// - Parameter teacher: what experts are refitted towards when the router is clustered.
  func run(_ file: ModelFile, teacher: ModelFile?, to out: String) throws -> Report {
    let plan = try UpcyclePlan.make(from: DenseModel(file), settings: settings)
    guard settings.readsText else { return try write(plan, of: file, to: out) }
    let fitting: any UpcycleFitting =
      settings.carve == nil
      ? try ExpertFitting(file, teacher: teacher, settings: settings, output: output, plan: plan)
      : try Carving(file, settings: settings, output: output, target: plan.description)
    guard !output.dryRun else {
      return try PlanRunner(output: output).run(plan, from: fitting.fingerprint.inputs, to: out)
    }
    if let report = try output.finished(out, fitting.fingerprint) { return report }
    let directory = try output.begin(out, fitting.fingerprint)
    return try directory.orAbandon {
      var plan = try fitting.fitted(plan, in: directory)
      plan.recipe["fingerprint"] = fitting.fingerprint.json
      return try write(plan, of: file, to: out, into: directory)
    }
  }

  private func write(
    _ plan: CheckpointPlan, of file: ModelFile, to out: String,
    into directory: OutputDirectory? = nil
  ) throws -> Report {
    guard !output.dryRun else {
      return try PlanRunner(output: output).run(plan, from: file.inputs, to: out)
    }
    var plan = plan
    // What was measured goes into the manifest, which the first process writes.
    let measured = try World.ranks.together {
      World.ranks.isFirst ? try measure(plan, file) : nil
    }
    plan.measurements = measured?.json ?? JSONObject()
    let report = try PlanRunner(output: output).run(
      plan, from: file.inputs, to: out, into: directory)
    var json = report.json.object ?? JSONObject()
    guard let measured, !report.wasComplete else { return report }
    json["measured"] = .object(measured.json)
    return Report(json: .object(json), text: report.text + "\n" + measured.text)
  }

  /// What was measured on the probe text.
  private struct Measured {
    var distance: LogitDistance
    var routerError: Double

    var json: JSONObject {
      var object = JSONObject([
        ("probe_tokens", .int(distance.tokens)),
        ("largest_relative_logit_error", .rounded(distance.relative)),
        ("rms_relative_logit_error", .rounded(distance.rootMeanSquare)),
        ("largest_by_router", .rounded(routerError)),
      ])
      if let load = distance.load {
        object["tokens_per_expert"] = .ints([load.lowerBound, load.upperBound])
      }
      return object
    }

    var text: String {
      var text =
        "logits differ from the dense model's by at most \(scientific(distance.relative)) of "
        + "the largest, \(scientific(distance.rootMeanSquare)) in root mean square "
        + "(\(counted(distance.tokens, "token")))"
      if routerError > 0 {
        text += "; the router alone causes \(scientific(routerError))"
      }
      if let load = distance.load {
        text += "\neach expert was sent \(load.lowerBound) to \(load.upperBound) of them"
      }
      return text
    }
  }

  /// Runs the planned model against the dense one, and against itself with even routers.
  private func measure(_ plan: CheckpointPlan, _ file: ModelFile) throws -> Measured {
    let bytes = output.limits.maxRam?.bytes ?? Self.measuringMemory
    func model(_ plan: CheckpointPlan) throws -> Model {
      try Model(
        plan.description, weights: PlannedWeights(plan), residency: .bounded(bytes: bytes))
    }
    let tokens = ProbeText.tokens(for: file)
    let dense = try Model(file.description, weights: file, residency: .bounded(bytes: bytes))
    let upcycled = try model(plan)
    let distance = try LogitDistance(of: upcycled, from: dense, on: tokens)
    var byRouter = 0.0
    if case .random = settings.router {
      var even = settings
      even.router = .zero
      let reference = try model(UpcyclePlan.make(from: DenseModel(file), settings: even))
      byRouter = try LogitDistance(of: upcycled, from: reference, on: tokens).relative
    }
    guard byRouter <= settings.tolerance else {
      throw ConversionError.routerTooFar(
        router: "\(settings.router)", error: byRouter, tolerance: settings.tolerance)
    }
    return Measured(distance: distance, routerError: byRouter)
  }
}

extension JSONValue {
  /// A measured number with two significant digits: more would be noise.
  static func rounded(_ value: Double) -> JSONValue {
    .number(scientific(value))
  }
}
