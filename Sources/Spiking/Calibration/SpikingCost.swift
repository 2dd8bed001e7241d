import Architectures
import Communication
import Foundation
public import Foundations
import Kernels
import Runtime

/// What spiking does to a model's predictions, token by token on a text.
///
/// A few thousand tokens know the divergence well and the change of the perplexity badly: the first
/// compares distributions, the second only what they say of the tokens that came.
public struct SpikingCost: Sendable {
  /// KL(unspiked ‖ spiked) in nats per token; errors take tokens to be independent.
  public let divergence: MeanEstimate
  /// By how much the negative log-likelihood of a token grows, in nats.
  public let increase: MeanEstimate
  /// The perplexities.
  public let perplexity: (unspiked: Double, spiked: Double)
  /// Tokens scored.
  public let tokens: Int
}

extension SpikingProbe {
  /// What `spiking` costs, each sample read from an empty state.
  func cost(
    of spiking: SpikingSettings, progress: (Double) -> Void = { _ in }
  ) throws -> SpikingCost {
    progress(0)
    let models = [try model(nil), try model(spiking)], ranks = calibration.ranks
    // Every process fills in its samples' tokens; the sums are what a single one finds.
    let scored = samples.reduce(0) { $0 + max(0, $1.count - 1) }
    var divergences = [Double](repeating: 0, count: scored)
    var nlls = [divergences, divergences]
    var start = 0
    for (number, sample) in samples.enumerated() {
      defer { start += max(0, sample.count - 1) }
      progress(Double(number) / Double(samples.count))
      guard number % ranks.size == ranks.rank else { continue }
      let hidden = try models.map { model in
        var state = DecodingState(for: model.description)
        return try model.extend(&state, with: sample)
      }
      for (index, model) in models.enumerated() {
        let found = try model.logProbabilities(
          of: sample, at: 1..<max(1, sample.count), hidden: hidden[index])
        for (token, value) in found.enumerated() { nlls[index][start + token] = -value }
      }
      for first in stride(from: 0, to: sample.count - 1, by: Self.rowsAtOnce) {
        let rows = first..<min(first + Self.rowsAtOnce, sample.count - 1)
        let found = try Distillation.backwardInPlace(
          student: models[1].logits(hidden[1], rows: rows),
          teacher: models[0].logits(hidden[0], rows: rows))
        for (row, value) in zip(rows, found) { divergences[start + row] = value }
      }
    }
    try ranks.sum(&divergences)
    for index in nlls.indices { try ranks.sum(&nlls[index]) }
    func perplexity(_ nlls: [Double]) -> Double { exp(MeanEstimate(nlls).mean) }
    return SpikingCost(
      divergence: MeanEstimate(divergences),
      increase: MeanEstimate(zip(nlls[1], nlls[0]).map(-)),
      perplexity: (perplexity(nlls[0]), perplexity(nlls[1])), tokens: divergences.count)
  }
}
