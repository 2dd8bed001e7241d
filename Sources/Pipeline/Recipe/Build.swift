import Checkpoints
import Communication
import Conversion
import Foundation
import Hub
import InputFiles
import ModelFiles
import StepSettings
import StrictJSON

/// `build`: a whole pipeline from one recipe, a loop over its steps.
public struct Build {
  private let recipe: Recipe
  private let source: String
  private let output: String
  private let context: Context
  private var stages: Stages
  /// What the last stage is compared with: healed tensors are nowhere but in the stage before.
  private var compared: String
  /// What the next step of a dry run starts from, as nothing is written.
  private var planned: CheckpointPlan?
  private var results: [JSONValue] = []
  private var passed = true
  private var measured: Set<String> = []

  /// The pipeline of `recipe`.
  ///
  /// - Parameters:
  ///   - source: the checkpoint to start from; by default the recipe's.
  ///   - output: the directory to write; by default the recipe's.
  public init(
    _ recipe: Recipe, file: String, source: String?, output: String?, _ context: Context
  ) throws {
    guard let named = source ?? recipe.source.map(recipe.path) else {
      throw RecipeError.missingPath("source", place: SettingPlace(file: file))
    }
    guard let output = output ?? recipe.output else {
      throw RecipeError.missingPath("output", place: SettingPlace(file: file))
    }
    let source = try context.local(named)
    var recipe = recipe
    recipe.steps = recipe.steps.map { $0.resolvingPaths(recipe.path) }
    self.recipe = recipe
    self.source = source
    self.output = output
    self.context = context
    compared = source
    stages = Stages(
      source: source, output: output,
      count: recipe.steps.count { $0 is any CheckpointStep }, ranks: context.ranks)
  }

  /// Runs the steps until one finds that something is wrong; returns what all of them found.
  public mutating func run() throws -> Report {
    for step in recipe.steps { try step.begin(context) }
    for text in recipe.steps.flatMap(\.texts) { _ = try InputFile.readText(text) }
    if !context.isDryRun { try context.ranks.together { try stages.requireOwn(context.mode) } }
    // The stages of a run that ended are gone: its output stands for all of them.
    let isFinished =
      try context.mode.resume && !context.isDryRun
      && stages.isFinished(by: recipe.steps)
    if !isFinished { try requirePlans() }
    if !context.isDryRun { context.send(.resumable) }
    for step in recipe.steps where passed {
      if let step = step as? any CheckpointStep {
        try run(step, isFinished: isFinished)
      } else if let step = step as? any CheckStep {
        if try isFinished && !stages.isComplete(stages.latest) { continue }
        try run(step)
      }
    }
    if passed && !context.isDryRun && context.ranks.isFirst { stages.removeIntermediates() }
    let facts: [(String, JSONValue)] = [("passed", .bool(passed)), ("steps", .array(results))]
    var whole = Report(json: JSONObject(facts), text: "")
    whole.passed = passed
    return whole
  }

  /// Finds before the first step, and not when the steps before have run for hours, whether every step
  /// takes what the one before makes, up to the first that needs the bytes.
  private func requirePlans() throws {
    var silent = context
    silent.listener = { _ in }
    var subject = Subject.file(try context.opened(source))
    for case let step as any CheckpointStep in recipe.steps {
      guard let prepared = try prepared(step, subject, silent) else { return }
      subject = .planned(try prepared.planned(), origin: subject.file)
    }
  }

  /// A step on what the one before makes; nil when it has to be there and is not.
  private func prepared(
    _ step: some CheckpointStep, _ subject: Subject, _ context: Context
  ) throws -> (any PreparedStep)? {
    // What a step learns from is the source, unless it starts from that itself.
    let isFirst = if case .file(let file) = subject { file.path == source } else { false }
    do {
      return try step.prepare(
        inRecipe: subject, teacher: step.learns && !isFirst ? source : nil, context)
    } catch InputError.notWritten {
      return nil
    }
  }

  /// Makes the next stage.
  private mutating func run(_ step: some CheckpointStep, isFinished: Bool) throws {
    let kind = type(of: step), name = kind.name
    let from = stages.latest, target = stages.next()
    if try !kind.isComparedWithSource && stages.isComplete(from) { compared = from }
    if isFinished { return }
    context.send(.step("\(name) \(from) -> \(target)"))
    let run = self.context(of: from)
    let subject: Subject =
      if let planned { .planned(planned, origin: try context.opened(source)) } else {
        .file(try run.open(from))
      }
    guard let prepared = try prepared(step, subject, run) else {
      return report(name, target, .unplanned(step.settings.fields))
    }
    let (result, plan) = try context.run(prepared, to: target)
    if context.isDryRun { planned = plan }
    report(name, target, result)
  }

  /// The context of a step that reads `path`: tensors are left out of the source, and a stage knows which.
  private func context(of path: String) -> Context {
    var context = context
    if path != source { context.ignoredTensors = [] }
    return context
  }

  /// Looks at the latest stage.
  private mutating func run(_ step: some CheckStep) throws {
    let name = type(of: step).name
    let latest = stages.latest
    guard !context.isDryRun else {
      context.send(.step("\(name) \(latest)"))
      return report(name, latest, .unplanned(step.settings.fields))
    }
    guard type(of: step).isMeasurement else {
      context.send(.step("\(name) \(latest)"))
      return report(
        name, latest, try step.run(latest, source: compared, context(of: latest)))
    }
    // The source is measured once, before the first stage it is compared with.
    let isNew = measured.insert("\(step.paths) \(step.settings.fields)").inserted
    for path in isNew && latest != source ? [source, latest] : [latest] {
      context.send(.step("\(name) \(path)"))
      // One process measures; the others wait.
      try context.ranks.together {
        guard context.ranks.isFirst else { return }
        report(name, path, try step.run(path, source: nil, context(of: path)))
      }
    }
  }

  private mutating func report(_ step: String, _ path: String, _ report: Report) {
    let place: [(String, JSONValue)] = [("step", .string(step)), ("checkpoint", .string(path))]
    results.append(
      .object(JSONObject(place).merging(report.json)))
    context.send(.result(report))
    passed = passed && report.passed
  }
}

extension Report {
  /// What a dry run says of a step whose input is not there yet.
  fileprivate static func unplanned(_ settings: [(key: String, value: String)]) -> Report {
    let text = settings.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    return Report(json: JSONObject([("settings", .string(text))]), text: "\(text); not run")
  }
}

extension Recipe {
  /// `path` as seen from the recipe's directory. A `..` stays: where it leads is for the system to say,
  /// which knows of links.
  func path(_ path: String) -> String {
    path.hasPrefix("/") || directory.isEmpty || HubReference.isOne(path)
      ? path : directory + "/" + path
  }
}
