import ArgumentParser
import StrictJSON
import TensorTypes
import Verification

/// `evaluate`: perplexity of a text, alone or against a teacher.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Perplexity of a text, by position, and the distance from a teacher.",
    discussion: """
      The text is cut into segments of --context tokens, each read from an empty state; the first \
      token of a segment is not scored.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("A UTF-8 text file.", valueName: "file"))
  var text: String

  @Option(parsing: .unconditional, help: "Tokens per segment.")
  var context = 1024

  @Option(parsing: .unconditional, help: "Use only the first tokens of the text.")
  var tokens: Int?

  @Option(
    help: ArgumentHelp("A checkpoint to compare with, usually the source.", valueName: "ckpt"))
  var teacher: String?

  @Option(
    help: ArgumentHelp(
      "Switch something off: state[:N] empties every linear state each N tokens, attention "
        + "removes the output of softmax attention, linear that of linear attention.",
      valueName: "what"))
  var ablate: String?

  @Flag(
    help: """
      Evaluate again with every linear state emptied each 1, 16, 64, 256, … tokens. The effective \
      memory is the least of these from which on the mean NLL changes by at most two standard \
      errors (over segments) or by less than 0.001 nats.
      """)
  var memory = false

  @OptionGroup var recalling: RecallOptions
  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    try checkCombination()
    try Self.check(context: context)
    let input = try EvaluationInput(
      ckpt, text: text, limit: tokens, teacher: teacher, ablate: ablate, limits: limits)
    if let note = input.note(context: context) { reporting.note(note) }
    if let trials = recalling.recall {
      return reporting.report(
        try recalling.measure(input, trials: trials, quiet: reporting.quiet))
    }
    // An error over segments needs two.
    if memory { try input.require(context + 2) }
    let result = try input.evaluate(context: context, quiet: reporting.quiet)
    guard memory else { return reporting.report(result.json, text: result.text) }
    let emptied = try input.memory(beside: result, context: context, quiet: reporting.quiet)
    var object = result.object
    object["memory"] = emptied.json
    reporting.report(.object(object), text: result.text + "\n\n" + emptied.text)
  }

  /// Both measurements ablate the model themselves, and recall has no use for a teacher.
  private func checkCombination() throws {
    let isRecalling = recalling.recall != nil
    let taken = isRecalling ? "--recall" : "--memory"
    if let ablate, memory || isRecalling {
      throw InputError.option("--ablate", value: ablate, expected: "not together with \(taken)")
    }
    if let teacher, isRecalling {
      throw InputError.option("--teacher", value: teacher, expected: "not together with --recall")
    }
    if memory, let trials = recalling.recall {
      throw InputError.option(
        "--recall", value: "\(trials)", expected: "not together with --memory")
    }
  }

  private static func check(context: Int) throws {
    guard context >= 2 else {
      throw InputError.option("--context", value: "\(context)", expected: "at least 2")
    }
  }

  /// Evaluates the checkpoint at `path` by the evaluation rule.
  static func evaluate(
    _ path: String, text: String, context: Int, tokens: Int?, teacher: String? = nil,
    limits: LimitOptions, quiet: Bool
  ) throws -> Evaluation {
    try check(context: context)
    return try EvaluationInput(path, text: text, limit: tokens, teacher: teacher, limits: limits)
      .evaluate(context: context, quiet: quiet)
  }
}

extension Evaluation {
  /// The result as the command line prints it with `--json`.
  var json: JSONValue { .object(object) }

  /// Its members.
  var object: JSONObject {
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
