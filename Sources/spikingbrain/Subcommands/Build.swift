import ArgumentParser
import Checkpoints
import Communication
import Conversion
import Exports
import Foundation
import InputFiles
import ModelFiles
import Recipes
import StrictJSON
import TensorTypes

/// `build`: a whole pipeline from one recipe.
struct Build: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Runs the steps of a recipe: convert, heal, upcycle, calibrate, export, verify, evaluate.",
    discussion: """
      Paths in the recipe are relative to the recipe's directory; --source and --output override \
      what it says.
      """)

  @Argument(help: ArgumentHelp("A YAML recipe.", valueName: "recipe"))
  var recipe: String

  @Option(help: ArgumentHelp("The source checkpoint.", valueName: "ckpt"))
  var source: String?

  @Option(
    name: .customLong("output"), help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var out: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    let recipe = try Recipe(path: recipe)
    guard let source = source ?? recipe.source.map(recipe.path) else {
      throw RecipeError.missingPath("source", place: .init(file: self.recipe))
    }
    guard let out = out ?? recipe.output else {
      throw RecipeError.missingPath("output", place: .init(file: self.recipe))
    }
    try output.limits.apply()
    // Found now, not when the steps before have run for hours.
    for text in recipe.texts { try InputFile.requireRegular(text) }
    for case .export(let settings) in recipe.steps {
      _ = try ExportProfiles.named(settings.profile)
    }
    var steps: [JSONValue] = []
    var passed = true
    func report(_ step: String, _ path: String, _ report: Report) {
      var object = JSONObject([("step", .string(step)), ("checkpoint", .string(path))])
      for (key, value) in report.json.object?.members ?? [] { object[key] = value }
      steps.append(.object(object))
      if !output.reporting.json { Terminal.say(report.text) }
    }
    var measured: [EvaluateSettings] = []
    // What a dry run's next step starts from, as nothing is written.
    var planned: CheckpointPlan?
    func dense(_ from: String) throws -> DenseModel {
      try planned.map { DenseModel($0) } ?? DenseModel(ModelFile.open(from))
    }
    // What the last stage is compared with: healed tensors are nowhere but in the stage before.
    var compared = source
    var stages = Stages(source: source, output: out, count: recipe.steps.count { $0.writes })
    if !output.dryRun { try World.ranks.together { try stages.requireOwn(output.mode) } }
    // The stages of a run that ended are gone: its output stands for all of them.
    let isFinished =
      try output.resume && !output.dryRun && stages.isFinished(by: recipe.steps)
    if !output.dryRun { output.offerResume() }
    for step in recipe.steps where passed {
      switch step {
      case .convert(var settings):
        let target = stages.next()
        if isFinished { continue }
        heading("convert \(source) -> \(target)")
        settings.text = settings.text.map(recipe.path)
        if output.dryRun {
          var counted = settings
          // Which layers a measurement would choose changes no count of the next step.
          if case .auto(let count) = settings.attentionLayers {
            counted.attentionLayers = .list(Array(0..<count))
          }
          planned = try ConversionPlan.make(from: ModelFile.open(source), settings: counted)
        }
        report(
          "convert", target,
          try ConvertRunner(settings: settings, output: output).run(source, to: target))
      case .heal(var settings):
        let from = stages.latest, target = stages.next()
        if isFinished { continue }
        heading("heal \(from) -> \(target)")
        settings.text = settings.text.map(recipe.path)
        let runner = HealRunner(settings: settings, output: output)
        if let planned, output.dryRun {
          report("heal", target, try runner.predict(planned, teacher: source))
        } else {
          report("heal", target, try runner.run(from, teacher: source, to: target))
        }
      case .upcycle(var settings):
        settings.text = settings.text.map(recipe.path)
        let from = stages.latest, target = stages.next()
        if try Stages.isComplete(from) { compared = from }
        if isFinished { continue }
        heading("upcycle \(from) -> \(target)")
        if output.dryRun {
          let upcycled = try UpcyclePlan.make(from: dense(from), settings: settings)
          planned = upcycled
          report(
            "upcycle", target, try PlanRunner(output: output).run(upcycled, from: [], to: target))
        } else {
          report(
            "upcycle", target,
            try UpcycleRunner(settings: settings, output: output)
              .run(
                ModelFile.open(from),
                teacher: from == source || settings.router != .clustered
                  ? nil : ModelFile.open(source), to: target))
        }
      case .calibrate(var settings):
        let from = stages.latest, target = stages.next()
        if try Stages.isComplete(from) { compared = from }
        if isFinished { continue }
        heading("calibrate \(from) -> \(target)")
        settings.text = settings.text.map(recipe.path)
        let runner = CalibrateRunner(settings: settings, output: output)
        if output.dryRun {
          let model = try dense(from)
          planned = try runner.planned(model)
          report("calibrate", target, try runner.describe(model, to: target))
        } else {
          report("calibrate", target, try runner.run(from, to: target))
        }
      case .export(let settings):
        let from = stages.latest, target = stages.next()
        if try Stages.isComplete(from) { compared = from }
        if isFinished { continue }
        heading("export \(from) -> \(target)")
        guard !output.dryRun else {
          report("export", target, .unplanned("profile \(settings.profile)"))
          continue
        }
        report(
          "export", target,
          try ExportRunner(settings: settings, output: output).run(from, to: target))
      case .verify(let settings):
        let path = stages.latest
        if try isFinished && !Stages.isComplete(path) { continue }
        heading("verify \(path)")
        guard !output.dryRun else {
          report("verify", path, .unplanned("level \(settings.level.rawValue)"))
          continue
        }
        let result = try Verify.verify(
          path, source: compared, level: settings.level, limits: output.limits,
          reporting: output.reporting)
        report("verify", path, result.report)
        passed = result.passed
      case .evaluate(let settings):
        let latest = stages.latest
        if try isFinished && !Stages.isComplete(latest) { continue }
        guard !output.dryRun else {
          heading("evaluate \(latest)")
          report("evaluate", latest, .unplanned(settings.text))
          continue
        }
        // The source is measured once, before the first stage it is compared with.
        let paths = measured.contains(settings) || latest == source ? [latest] : [source, latest]
        measured.append(settings)
        for path in paths {
          heading("evaluate \(path)")
          // One process evaluates; the others wait.
          try World.ranks.together {
            guard World.ranks.isFirst else { return }
            let result = try Evaluate.evaluate(
              path, text: recipe.path(settings.text), context: settings.context,
              tokens: settings.tokens, limits: output.limits, quiet: output.reporting.quiet)
            report("evaluate", path, Report(json: result.json, text: result.text))
          }
        }
      }
    }
    if passed && !output.dryRun && World.ranks.isFirst { stages.removeIntermediates() }
    // One object for the whole pipeline, also when a check failed.
    if output.reporting.json {
      let whole: JSONValue = ["passed": .bool(passed), "steps": .array(steps)]
      Terminal.say(whole)
    }
    if !passed { throw ExitCode(1) }
  }

  private func heading(_ text: String) {
    if !output.reporting.json && !output.reporting.quiet { Terminal.say("== \(text)") }
  }
}

extension Report {
  /// What a dry run says of a step whose input is not there yet.
  fileprivate static func unplanned(_ settings: String) -> Report {
    Report(json: ["settings": .string(settings)], text: "\(settings); not run")
  }
}

extension Recipe {
  /// The texts of all steps.
  var texts: [String] {
    steps.flatMap { step -> [String] in
      switch step {
      case .convert(let settings): settings.text
      case .heal(let settings): settings.text
      case .upcycle(let settings): settings.text
      case .calibrate(let settings): settings.text
      case .evaluate(let settings): [settings.text]
      case .export, .verify: []
      }
    }.map(path)
  }

  /// `path` as seen from the recipe's directory.
  func path(_ path: String) -> String {
    guard !path.hasPrefix("/"), !directory.isEmpty else { return path }
    var parts: [Substring] = []
    for part in (directory + "/" + path).split(separator: "/", omittingEmptySubsequences: false) {
      // `recipes/../demo` is `demo`; a leading `..` stays.
      if part == "..", let last = parts.last, last != "..", last != "" {
        parts.removeLast()
      } else if part != "." {
        parts.append(part)
      }
    }
    return parts.joined(separator: "/")
  }
}
