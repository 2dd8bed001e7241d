import Architectures
import Foundation
import Foundations
import Kernels
import Runtime

/// The runtime computes the same logits from the checkpoint whichever way the tokens are read. That
/// they are finite the runtime itself sees to.
struct LogitsCheck {
  /// Reading tokens together or one by one agrees to this at most positions, relative to the
  /// largest logit.
  static let tolerance = 1e-4
  /// The limit at the worst position. An unhealed conversion is badly conditioned: its residual
  /// stream is huge and cancels, and two correct f32 runs can be 2e-4 apart at a few tokens.
  static let worstTolerance = 1e-3

  let model: Model
  let tokens: [Int]

  /// Seeded tokens, so that the check needs no tokenizer and is the same every time.
  static func probe(for model: ModelDescription, count: Int) -> [Int] {
    var generator = SplitMix64(seed: 1, label: "verify")
    return (0..<count).map { _ in Int.random(in: 0..<model.vocabularySize, using: &generator) }
  }

  func run() throws -> [CheckResult] {
    var state = DecodingState(for: model.description)
    let together = try model.extend(&state, with: tokens)

    var steps = DecodingState(for: model.description)
    let stepwise = try model.extend(&steps, with: tokens, stepwise: true)
    let recurrent = try LogitsComparison((model, together), (model, stepwise))
    return [
      .passed("logits", "finite for \(counted(tokens.count, "token"))"),
      result("prefill = decode", recurrent),
      result("state save/restore", try restored(against: together)),
    ]
  }

  /// Reads half of the tokens, saves and restores the state, and reads the rest.
  private func restored(against together: FloatMatrix) throws -> LogitsComparison {
    let half = tokens.count / 2
    var (_, restored) = try model.states(after: Array(tokens[..<half]))
    let rest = try model.extend(&restored, with: Array(tokens[half...]))
    return try LogitsComparison((model, together.rows(half..<tokens.count)), (model, rest))
  }

  private func result(_ name: String, _ comparison: LogitsComparison) -> CheckResult {
    let measured =
      "difference \(scientific(comparison.medianDifference)) in the median, "
      + "\(scientific(comparison.difference)) at worst, of the largest logit"
    let agrees =
      comparison.medianDifference <= Self.tolerance && comparison.difference <= Self.worstTolerance
    return agrees
      ? .passed(name, measured)
      : .failed(
        name,
        "\(measured), position \(comparison.position); limits \(Self.tolerance) and "
          + "\(Self.worstTolerance)")
  }
}

/// `value` as `1.2e-07`.
public func scientific(_ value: Double) -> String { String(format: "%.1e", value) }

extension Model {
  /// The state after `tokens`, and the same saved and restored.
  func states(
    after tokens: [Int]
  ) throws -> (live: DecodingState, restored: DecodingState) {
    var live = DecodingState(for: description)
    _ = try extend(&live, with: tokens)
    guard
      let restored = DecodingState(for: description, saved: live.saved, position: live.position)
    else { throw RuntimeError.stateDoesNotFit(file: "memory", reason: "restoring failed") }
    return (live, restored)
  }
}
