import Architectures
import ArgumentParser
import Foundation
import ModelFiles
import Runtime
import StrictJSON
import TensorTypes
import Tokenization
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
        + "removes the output of softmax attention.", valueName: "what"))
  var ablate: String?

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    let result = try Self.evaluate(
      ckpt, text: text, context: context, tokens: tokens, teacher: teacher, ablate: ablate,
      limits: limits, quiet: reporting.quiet)
    reporting.report(result.json, text: result.text)
  }

  /// Evaluates the checkpoint at `path` by the evaluation rule.
  static func evaluate(
    _ path: String, text: String, context: Int, tokens: Int?, teacher: String? = nil,
    ablate: String? = nil, limits: LimitOptions, quiet: Bool
  ) throws -> Evaluation {
    guard context >= 2 else {
      throw InputError.option("--context", value: "\(context)", expected: "at least 2")
    }
    if let tokens, tokens < 2 {
      throw InputError.option("--tokens", value: "\(tokens)", expected: "at least 2")
    }
    var runnable = try RunnableModel(path, limits: limits)
    if let ablate {
      guard let ablation = Ablation(parsing: ablate) else {
        throw InputError.option(
          "--ablate", value: ablate, expected: "state, state:N or attention")
      }
      runnable.model.ablation = ablation
    }
    let reference = try teacher.map { try RunnableModel($0, limits: limits) }
    let vocabulary = runnable.model.description.vocabularySize
    if let other = reference?.model.description.vocabularySize, other != vocabulary {
      throw InputError.vocabularies(model: vocabulary, teacher: other)
    }
    let bytes = try InputError.text(at: text)
    var ids = try runnable.file.tokenizer.load().encode(bytes: bytes)
    if let tokens { ids = Array(ids.prefix(tokens)) }
    guard ids.count >= 2 else {
      throw InputError.textTooShort(file: text, tokens: ids.count, needed: 2)
    }
    let progress = Progress("evaluating", quiet: quiet)
    defer { progress.finish() }
    return try Evaluation(
      of: runnable.model, on: ids, context: context, teacher: reference?.model
    ) { share in
      progress.update(done: Int(share * Double(ids.count)), total: ids.count) { "\($0) tokens" }
    }
  }
}

extension Evaluation {
  /// The result as the command line prints it with `--json`.
  var json: JSONValue {
    var object = JSONObject([
      ("tokens", .int(tokens)), ("scored", .int(scored)), ("perplexity", .double(perplexity)),
      (
        "nll_by_position",
        .object(JSONObject(byPosition.map { ($0.range, .double($0.nll)) }))
      ),
    ])
    if let kl { object["kl"] = .double(kl) }
    if let top1 { object["top1"] = .double(top1) }
    return .object(object)
  }

  /// The result in words.
  var text: String {
    var table = Table(rightAligned: [1])
    table.add("perplexity", fixed(perplexity, 3), "over \(scored) scored of \(tokens) tokens")
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
