import Architectures
import Communication
import Foundation
import Kernels
import Runtime

/// Some of the samples, to measure what spiking does to predictions.
struct SpikingProbe {
  let calibration: SpikeCalibration
  let samples: [[Int]]

  /// Tokens of the probe, about.
  static let tokens = 2048
  /// Rows of logits computed at a time, beside those kept to compare with.
  static let rowsAtOnce = 128

  init(_ calibration: SpikeCalibration) {
    self.calibration = calibration
    let all = calibration.samples
    let wanted = max(1, Self.tokens / max(1, all[0].count))
    let every = max(1, all.count / wanted)
    samples = stride(from: 0, to: all.count, by: every).prefix(wanted).map {
      Array(all[$0].prefix(Model.segment))
    }
  }

  func model(_ spiking: SpikingSettings?) throws -> Model {
    var description = calibration.model
    description.spiking = spiking
    return try Model(
      description, weights: calibration.weights, residency: calibration.residency)
  }

  /// The perplexity of the model spiked so, each sample read from an empty state.
  func perplexity(_ spiking: SpikingSettings?) throws -> Double {
    let model = try model(spiking), ranks = calibration.ranks
    var sum = 0.0, scored = 0
    for (index, sample) in samples.enumerated() where index % ranks.size == ranks.rank {
      var state = DecodingState(for: model.description)
      let hidden = try model.extend(&state, with: sample)
      let found = try model.logProbabilities(
        of: sample, at: 1..<max(1, sample.count), hidden: hidden)
      sum -= found.reduce(0, +)
      scored += found.count
    }
    var sums = [sum, Double(scored)]
    try ranks.sum(&sums)
    return exp(sums[0] / max(sums[1], 1))
  }

  /// KL(unspiked ‖ spiked), winners on both sides, in nats per token when only `groups` of `layer` are spiked, for each of
  /// the lists; layer by layer, so that what comes before a layer is computed once. Several processes
  /// take different parts.
  func divergences(
    of parts: [(layer: Int, group: SpikeGroup)], k: (SpikeGroup) -> Double?,
    progress: (Double) -> Void
  ) throws -> [Double] {
    progress(0)
    let unspiked = try model(calibration.model.spiking), ranks = calibration.ranks
    let models = try parts.enumerated().map { number, part -> Model? in
      guard number % ranks.size == ranks.rank else { return nil }
      // Keys and values stay float32, or their error would be every group's.
      return try model(
        calibration.model.spikingSettings(winners: calibration.model.spiking?.winners) { site in
          site.layer == part.layer && site.group == part.group ? k(part.group) : nil
        })
    }
    var sums = [Double](repeating: 0, count: parts.count), rows = 0
    let costs = costs(of: parts), wholeCost = costs.reduce(0, +) * Double(samples.count)
    var done = 0.0
    for sample in samples {
      var state = DecodingState(for: unspiked.description)
      var entering: [FloatMatrix] = []
      let final = try unspiked.extend(&state, with: sample) { _, _, hidden in
        entering.append(hidden.copy)
      }
      // The first tokens have no context to predict from.
      let scored = sample.count / 8..<sample.count
      rows += scored.count
      // The same rows at a time for both models: products of other sizes may round otherwise.
      let references = try stride(
        from: scored.lowerBound, to: scored.upperBound, by: Self.rowsAtOnce
      )
      .map { first in
        let rows = first..<min(first + Self.rowsAtOnce, scored.upperBound)
        return (rows: rows, logits: try unspiked.logits(final, rows: rows))
      }
      for (number, part) in parts.enumerated() {
        done += costs[number]
        guard let model = models[number] else { continue }
        let hidden = try model.resume(
          entering[part.layer].copy, at: part.layer, tokens: sample)
        for reference in references {
          sums[number] += try Distillation.backwardInPlace(
            student: model.logits(hidden, rows: reference.rows), teacher: reference.logits
          ).reduce(0, +)
        }
        progress(done / wholeCost)
      }
    }
    try ranks.sum(&sums)
    return sums.map { max(0, $0 / Double(max(rows, 1))) }
  }
}
