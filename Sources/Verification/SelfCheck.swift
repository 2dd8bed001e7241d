public import Runtime

/// The quick check that comes before any speed figure.
public enum SelfCheck {
  /// Prefill and decoding of a few seeded tokens agree and are finite.
  public static func run(_ model: Model) throws -> CheckResult {
    let results = try LogitsCheck(model: model, tokens: tokens(model, count: 24)).run()
    return results.first { $0.outcome == .failed } ?? .passed("self-check", "prefill = decode")
  }

  /// Seeded tokens of the model's vocabulary.
  public static func tokens(_ model: Model, count: Int) -> [Int] {
    LogitsCheck.probe(for: model.description, count: count)
  }
}
