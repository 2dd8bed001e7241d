import Checkpoints
import Communication
import Foundations
import InputFiles
import ModelFiles
public import StepSettings
import StrictJSON
import Verification

/// `verify`: everything a bad checkpoint can hide.
public struct VerifyStep: CheckStep {
  public static let name = "verify"
  public let settings: VerifySettings

  public init(_ settings: VerifySettings) { self.settings = settings }

  /// Verifies the checkpoint `path`, against what it was made from where that is given; each check is
  /// reported when it is done.
  public func check(_ path: String, source: String?, _ context: Context) throws -> Report {
    // A text that cannot be read is found before the checks, not after them.
    if let text = settings.text { _ = try InputFile.readText(text) }
    if let adapter = settings.lora, source == nil {
      throw InputError.option("--lora", value: adapter, expected: "--source beside it")
    }
    let key = try settings.publicKey.map {
      let pem = try InputFile.read($0, limit: ManifestSignature.keyByteLimit)
      try ManifestSignature.requirePublicKey(pem, of: $0)
      return Verifier.PublicKey(file: $0, pem: pem)
    }
    let file = try context.open(path, isLast: source == nil)
    let original = try source.map {
      try context.openOther($0, after: file).merging(settings.lora.map(context.local))
    }
    var results: [CheckResult] = []
    func report(_ result: CheckResult) {
      results.append(result)
      context.send(.result(Report(json: JSONObject(), text: result.line)))
    }
    let verifier = try Verifier(
      file, source: original, residency: context.limits.residency(forWeights: file.byteCount),
      publicKey: key, ranks: context.ranks)
    var passed = try verifier.run(level: settings.level, report: report)
    if passed, settings.level == .quality, let text = settings.text {
      // One process evaluates; the others wait.
      let result = try context.ranks.first {
        try quality(path, source: source, text: text, context)
      }
      report(result)
      passed = result.outcome != .failed
    }
    var whole = Report(
      json: ["passed": .bool(passed), "checks": .array(results.map(\.json))],
      text: Self.summary(results, passed: passed))
    whole.passed = passed
    return whole
  }

  private static func summary(_ results: [CheckResult], passed: Bool) -> String {
    guard passed else { return "verification failed" }
    let skipped = results.count { $0.outcome == .skipped }
    return skipped == 0
      ? "all checks passed"
      : "\(counted(results.count - skipped, "check")) passed, \(skipped) skipped"
  }

  /// Perplexity of the text, beside the source's when it is at hand.
  private func quality(
    _ path: String, source: String?, text: String, _ context: Context
  ) throws -> CheckResult {
    let input = try EvaluationInput(
      path, text: text, limit: 8192, teacher: source, context)
    let result = try input.evaluate(segments: 1024, context)
    var detail = "perplexity \(fixed(result.perplexity, 3)) over \(counted(result.scored, "token"))"
    if let kl = result.kl { detail += ", KL from source \(fixed(kl, 4)) nats" }
    return CheckResult("quality", result.perplexity.isFinite ? .passed : .failed, detail)
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
