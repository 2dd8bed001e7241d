import Architectures
public import Runtime

/// The quick check that comes before any speed figure.
public enum SelfCheck {
  /// Prefill and decoding of a few seeded tokens agree and are finite; of a spiked model, layer by
  /// layer.
  public static func run(_ model: Model) throws -> CheckResult {
    let tokens = tokens(model, count: 24)
    let results =
      model.description.spiking == nil
      ? try LogitsCheck(model: model, tokens: tokens).run()
      : try SpikingCheck(model: model, tokens: tokens).run()
    return results.first { $0.outcome == .failed } ?? .passed("self-check", "prefill = decode")
  }

  /// Seeded tokens of the model's vocabulary.
  public static func tokens(_ model: Model, count: Int) -> [Int] {
    LogitsCheck.probe(for: model.description, count: count)
  }
}
