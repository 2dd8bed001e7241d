import Foundations
public import StepSettings
import StrictJSON
import Verification

/// `evaluate`: perplexity of a text, alone or against a teacher, and what a model remembers of it; or the
/// figures of tasks.
public struct EvaluateStep: CheckStep {
  public static let name = "evaluate"
  public static let isMeasurement = true
  public let settings: EvaluateSettings

  public init(_ settings: EvaluateSettings) { self.settings = settings }

  /// Evaluates the checkpoint `path`; `source` is a teacher to compare with.
  public func check(_ path: String, source: String?, _ context: Context) throws -> Report {
    if !settings.tasks.files.isEmpty {
      if let source {
        throw InputError.option("--teacher", value: source, expected: "not together with --task")
      }
      let tasks = try TaskEvaluation(files: settings.tasks.files, limit: settings.tasks.limit)
      let runnable = try RunnableModel(path, ablate: settings.ablate, context)
      return try tasks.run(runnable, maximumLength: settings.tasks.maximumLength, context)
    }
    if let source, settings.recall.trials != nil {
      throw InputError.option("--teacher", value: source, expected: "not together with --recall")
    }
    let input = try EvaluationInput(
      path, text: settings.text, limit: settings.tokens, teacher: source,
      ablate: settings.ablate, context)
    if let note = input.note(context: settings.context) { context.note(note) }
    if let trials = settings.recall.trials {
      return try input.recall(trials: trials, settings.recall, context)
    }
    // An error over segments needs two.
    if settings.memory { try input.require(settings.context + 2) }
    let result = try input.evaluate(segments: settings.context, context)
    let whole = Report(json: result.json, text: result.text)
    guard settings.memory else { return whole }
    let emptied = try input.memory(beside: result, segments: settings.context, context)
    return Report(
      [whole, Report(json: ["memory": emptied.json], text: emptied.text)], separator: "\n\n")
  }
}

extension Evaluation {
  /// The result for programs.
  var json: JSONObject {
    var object = JSONObject([
      ("tokens", .int(tokens)), ("scored", .int(scored)), ("perplexity", .double(perplexity)),
      (
        "nll_by_position",
        .object(JSONObject(byPosition.map { ($0.range, .double($0.nll)) }))
      ),
    ])
    if let kl { object["kl"] = .double(kl) }
    if let top1 { object["top1"] = .double(top1) }
    return object
  }

  /// The result in words.
  var text: String {
    var table = Table(rightAligned: [1])
    table.add(
      "perplexity", fixed(perplexity, 3), "over \(scored) scored of \(counted(tokens, "token"))")
    if let kl, let top1 {
      table.add("KL from teacher", fixed(kl, 4), "nats per token")
      table.add("top-1 agreement", "\(fixed(100 * top1, 1))%")
    }
    var positions = Table(rightAligned: [0, 1])
    positions.add("position", "nll")
    for (range, nll) in byPosition { positions.add(range, fixed(nll, 3)) }
    return table.text + "\n\n" + positions.text
  }
}
