import ArgumentParser
import Communication
import Foundation
import InputFiles
import ModelFiles
import Recipes
import StrictJSON
import TensorTypes
import Verification

/// `verify`: everything a bad checkpoint can hide.
struct Verify: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Checks structure, hashes, values and logits of a checkpoint; exit 1 names the fault.",
    discussion: """
      Levels are cumulative: structure, hashes, values, logits. With --source, copied tensors must \
      be the source's byte for byte and, run with every layer as window attention, the conversion \
      must compute what the source computes.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("What it was converted from.", valueName: "ckpt"))
  var source: String?

  @Option(help: "structure, hashes, values, logits or quality.")
  var level = VerifySettings.Level.logits

  @Option(help: ArgumentHelp("A text, for --level quality.", valueName: "file"))
  var text: String?

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    let result = try Self.verify(
      ckpt, source: source, level: level, text: text, limits: limits, reporting: reporting)
    reporting.report(result.report)
    if !result.passed { throw ExitCode(1) }
  }

  /// Verifies the checkpoint at `path`, printing each result for people as it comes.
  static func verify(
    _ path: String, source: String?, level: VerifySettings.Level, text: String? = nil,
    limits: LimitOptions, reporting: ReportOptions
  ) throws -> (passed: Bool, report: Report) {
    try limits.apply()
    if level == .quality && text == nil {
      throw InputError.option("--level", value: "quality", expected: "--text FILE beside it")
    }
    // A text that cannot be read is found before the checks, not after them.
    if let text { _ = try InputFile.readText(text) }
    let file = try ModelFile.open(path)
    let original = try source.map(ModelFile.open)
    var results: [CheckResult] = []
    func report(_ result: CheckResult) {
      results.append(result)
      if !reporting.json { Terminal.say(result.line) }
    }
    let verifier = try Verifier(
      file, source: original, residency: limits.residency(forWeights: file.byteCount),
      ranks: World.ranks)
    var passed = try verifier.run(level: level, report: report)
    if passed, level == .quality, let text {
      // One process evaluates; the others wait.
      let result = try World.ranks.first {
        try quality(path, source: source, text: text, limits: limits, reporting)
      }
      report(result)
      passed = result.outcome != .failed
    }
    return (
      passed,
      Report(
        json: ["passed": .bool(passed), "checks": .array(results.map(\.json))],
        text: summary(results, passed: passed))
    )
  }

  private static func summary(_ results: [CheckResult], passed: Bool) -> String {
    guard passed else { return "verification failed" }
    let skipped = results.count { $0.outcome == .skipped }
    return skipped == 0
      ? "all checks passed"
      : "\(counted(results.count - skipped, "check")) passed, \(skipped) skipped"
  }

  /// Perplexity of the text, beside the source's when it is at hand.
  private static func quality(
    _ path: String, source: String?, text: String, limits: LimitOptions,
    _ reporting: ReportOptions
  ) throws -> CheckResult {
    let result = try Evaluate.evaluate(
      path, text: text, context: 1024, tokens: 8192, teacher: source, limits: limits,
      quiet: reporting.quiet)
    var detail = "perplexity \(fixed(result.perplexity, 3)) over \(counted(result.scored, "token"))"
    if let kl = result.kl { detail += ", KL from source \(fixed(kl, 4)) nats" }
    return CheckResult(
      "quality", result.perplexity.isFinite ? .passed : .failed, detail)
  }
}

extension CheckResult {
  /// One line for people: `ok    hashes: …`.
  var line: String {
    let mark =
      switch outcome {
      case .passed: "ok   "
      case .failed: "FAIL "
      case .skipped: "skip "
      }
    return "\(mark) \(name): \(detail)".printable
  }

  /// The result as JSON.
  var json: JSONValue {
    ["name": .string(name), "outcome": .string(outcome.rawValue), "detail": .string(detail)]
  }
}
