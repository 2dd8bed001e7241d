import Foundation
import Foundations

/// What a task measures, by the names and the rules of lm-eval.
public enum TaskMetric: String, Sendable, CaseIterable {
  /// Share of questions answered right: the greedy continuation, or the likeliest choice.
  case accuracy = "acc"
  /// Share of questions whose choice is likeliest per character.
  case normalizedAccuracy = "acc_norm"
  /// Share of answers that are the expected text.
  case exactMatch = "exact_match"
  /// exp of the mean negative log-likelihood of a question's whole answer.
  case perplexity

  /// How lm-eval calls the way in which figures of single questions become one.
  public var aggregation: String { self == .perplexity ? "perplexity" : "mean" }
}

/// A figure of a task with its standard error.
public struct TaskFigure: Sendable {
  /// What is measured.
  public let metric: TaskMetric
  /// The figure.
  public let value: Double
  /// Its standard error; nil for one question.
  public let standardError: Double?

  /// The figure of questions whose single ones are `values`, in their order: log-likelihoods for the
  /// perplexity. At least one.
  public init(_ metric: TaskMetric, of values: [Double], rounds: Int = Self.resampledRounds) {
    self.metric = metric
    guard metric == .perplexity else {
      let estimate = MeanEstimate(values)
      value = estimate.mean
      standardError = values.count > 1 ? estimate.standardError : nil
      return
    }
    value = Self.perplexity(sum: values.reduce(0, +), count: values.count)
    standardError = values.count > 1 ? Self.resampledError(values, rounds: rounds) : nil
  }

  /// How many thousands of resamples the error of a perplexity is taken from.
  public static let resampledRounds = 100

  private static func perplexity(sum: Double, count: Int) -> Double { exp(-sum / Double(count)) }

  /// The standard deviation of the perplexity over resamples with replacement: the very ones that
  /// lm-eval draws, a thousand from each of the seeds 0, 1, ….
  private static func resampledError(_ values: [Double], rounds: Int) -> Double {
    let count = Double(values.count)
    var found: [Double] = []
    found.reserveCapacity(1000 * rounds)
    for seed in 0..<rounds {
      var random = PythonRandom(seed: UInt32(seed))
      for _ in 0..<1000 {
        var sum = 0.0
        for _ in values.indices { sum += values[Int(random.unit() * count)] }
        found.append(perplexity(sum: sum, count: values.count))
      }
    }
    return MeanEstimate(found).standardError * Double(found.count).squareRoot()
  }
}
