import Foundation
public import Foundations
import Mixers
public import Runtime

/// How far back the linear layers' states reach: what a model loses when they are emptied each N
/// tokens.
public struct EffectiveMemory: Sendable {
  /// The result with the states emptied each `every` tokens.
  public struct Row: Sendable {
    /// N.
    public let every: Int
    /// Perplexity.
    public let perplexity: Double
    /// Mean NLL minus that of the model as it is, in nats; its error is over segments.
    public let difference: MeanEstimate

    /// Whether emptying the states changes anything: more than two standard errors and at least
    /// 0.001 nats.
    public var changes: Bool {
      !(abs(difference.mean) <= 2 * difference.standardError
        || abs(difference.mean) < EffectiveMemory.leastDifference)
    }
  }

  /// Differences below this, in nats per token, count as none.
  public static let leastDifference = 0.001

  /// One row per N, ascending.
  public let rows: [Row]

  /// The smallest measured N from which on nothing changes; nil when the largest still does.
  public var tokens: Int? {
    Self.firstUnchanged(rows.map { ($0.every, $0.changes) })
  }

  /// The values of N for segments of `context` tokens: 1 and the powers of 4 from 16 below it.
  public static func periods(below context: Int) -> [Int] {
    [1] + sequence(first: 16) { $0 * 4 }.prefix { $0 < context }
  }

  /// Measures `model` beside `whole`, its evaluation as it is on the same tokens.
  ///
  /// - Parameters:
  ///   - tokens: more than one segment.
  ///   - context: tokens per segment, at least 2.
  ///   - progress: called after each segment with N and the share done.
  public init(
    of model: Model, on tokens: [Int], context: Int, beside whole: Evaluation,
    progress: (_ every: Int, _ share: Double) -> Void = { _, _ in }
  ) throws {
    rows = try Self.periods(below: context).map { every in
      var model = model
      model.ablation = .state(every: every)
      let emptied = try Evaluation(of: model, on: tokens, context: context) {
        progress(every, $0)
      }
      let sums = zip(emptied.segments, whole.segments).map { $0.sum - $1.sum }
      return Row(
        every: every, perplexity: emptied.perplexity,
        difference: MeanEstimate(sums: sums, counts: whole.segments.map(\.count)))
    }
  }

  /// The first of the ascending periods from which on none changes anything.
  static func firstUnchanged(_ periods: [(every: Int, changes: Bool)]) -> Int? {
    let last = periods.lastIndex { $0.changes } ?? -1
    return last + 1 < periods.count ? periods[last + 1].every : nil
  }
}
