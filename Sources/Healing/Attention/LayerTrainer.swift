import Architectures
import Communication
import Foundation
import Foundations
import Kernels
import Mixers
import Runtime
import StepSettings
import Streams

/// Refits one attention layer to what the source's attention adds to the stream: ridge, gradients,
/// ridge.
struct LayerTrainer {
  let layer: TrainableMixer
  let data: LayerData
  let settings: HealSettings

  /// What the refit of a layer did.
  struct Result: Sendable {
    /// Held-out error relative to the target, before and after.
    var before: Double
    var afterRidge: Double
    var after: Double
    /// Gradient steps taken.
    var steps: Int
    /// The share of linear attention in the output, beside softmax attention; see `linearShare`.
    var linearShare: Double?
  }

  /// Runs the refit; the layer holds the best parameters found.
  ///
  /// - Parameter progress: called with the share done and the held-out error so far.
  func run(steps: Int, progress: (Double, Double) throws -> Void) throws -> Result {
    var result = try refit(steps: steps, progress: progress)
    result.linearShare = try linearShare()
    return result
  }

  private func refit(
    steps: Int, progress: (Double, Double) throws -> Void
  ) throws -> Result {
    let before = try heldOutError()
    guard before.isFinite else {
      throw RuntimeError.overflow(place: "in the attention of layer \(data.index)")
    }
    var best = before
    var afterRidge = before
    if settings.method != .gradient {
      let prior = layer.output.value.copy
      try refitOutput()
      afterRidge = try heldOutError()
      // What is best in front of a norm need not be behind it.
      if !(afterRidge <= before) {
        layer.output.value.copyRows(of: prior, to: 0)
        afterRidge = before
      }
      best = afterRidge
    }
    try progress(0, best)
    guard settings.method != .ridge, steps > 0 else {
      return Result(before: before, afterRidge: afterRidge, after: best, steps: 0)
    }
    let start = layer.parameters.map(\.value.copy)
    try train(steps: steps, progress: progress)
    if settings.method == .both { try refitOutput() }
    var after = try heldOutError()
    if !(after < best) {
      // Never worse than the start.
      for (parameter, value) in zip(layer.parameters, start) {
        parameter.value.copyRows(of: value, to: 0)
      }
      after = best
    }
    return Result(before: before, afterRidge: afterRidge, after: after, steps: steps)
  }

  /// Adam with a short warm-up and a cosine to zero.
  private func train(steps: Int, progress: (Double, Double) throws -> Void) throws {
    var generator = SplitMix64(seed: settings.seed, label: "layer \(data.index)")
    var order = Shuffle(count: data.segments.training.count)
    var running = 0.0
    for step in 0..<steps {
      let chosen = (0..<settings.batch).map { _ in data.segments.training[order.next(&generator)] }
      let loss = try addGradients(data.segments.own(chosen))
      guard loss.isFinite else { throw HealingError.diverged(layer: data.index) }
      running = step == 0 ? loss : 0.95 * running + 0.05 * loss
      try layer.parameters.sumGradients(over: data.segments.ranks)
      let rate = settings.learningRate * LearningRate.share(step, of: steps)
      guard layer.parameters.step(learningRate: rate, largestGradient: Self.largestGradient) else {
        throw HealingError.diverged(layer: data.index)
      }
      try progress(Double(step + 1) / Double(steps), running)
    }
    try layer.parameters.equalise(over: data.segments.ranks)
  }

  /// Adds the gradients of this process's part of a batch, relative to the whole batch. Returns the
  /// loss of the whole batch.
  private func addGradients(_ chosen: [Int]) throws -> Double {
    let batch = chosen.isEmpty ? nil : try data.batch(chosen)
    let output = batch.map { data.part.finished(layer($0.input, segments: chosen.count)) }
    var sums = [0.0, 0]
    if let batch, let output {
      let (error, scale) = batch.weightedError(of: output.value)
      sums = [error, scale]
    }
    try data.segments.ranks.sum(&sums)
    let loss = sums[0] / max(sums[1], 1e-30)
    guard loss.isFinite, let batch, let output else { return loss }
    batch.replaceByGradient(output.value, scale: sums[1])
    output.pullback(output.value, nil)
    return loss
  }

  /// Gradients of the relative loss above this norm are scaled down to it.
  private static let largestGradient = 1.0

  /// Relative error on the held-out segments: sum of weighted squares over that of the target.
  func heldOutError() throws -> Double {
    var sums = [0.0, 0]
    for segment in data.segments.own(data.segments.heldOut) {
      let batch = try data.batch([segment])
      let (error, scale) = batch.weightedError(
        of: data.part.finished(layer(batch.input, segments: 1).value))
      sums[0] += error
      sums[1] += scale
    }
    try data.segments.ranks.sum(&sums)
    return sums[1] > 0 ? sums[0] / sums[1] : 0
  }

  /// The mean squared norm of what linear attention gives to the output of o_proj, divided by the
  /// sum of that and the same of softmax attention, over the held-out tokens; nil when the layer has
  /// not both.
  private func linearShare() throws -> Double? {
    guard layer.isHybrid else { return nil }
    var sums = [0.0, 0]
    for segment in data.segments.own(data.segments.heldOut) {
      let input = try data.batch([segment]).input
      guard let branches = layer.branches(input, segments: 1) else { continue }
      sums[0] += branches.linear.withoutSinks(data.sinks.rows, segments: 1).squaredNorm
      sums[1] += branches.softmax.withoutSinks(data.sinks.rows, segments: 1).squaredNorm
    }
    try data.segments.ranks.sum(&sums)
    let total = sums[0] + sums[1]
    return total > 0 ? sums[0] / total : 0
  }

  /// Solves o_proj in closed form on all training segments, towards what it is now; the ridge is
  /// chosen by the held-out error, and nothing changes when none helps.
  private func refitOutput() throws {
    let model = layer.model, ranks = data.segments.ranks
    func sums(_ chosen: Range<Int>) throws -> Gram {
      let gram = Gram(features: model.queryWidth, targets: model.hiddenSize)
      let own = data.segments.own(chosen)
      for first in stride(from: 0, to: own.count, by: settings.batch) {
        let part = own[first..<min(first + settings.batch, own.count)]
        let batch = try data.linearBatch(part)
        let features = layer.features(batch.input, segments: part.count).value
        if let bias = layer.outputBias {
          batch.target.addToRows(bias.map { -$0 })
        }
        gram.add(features, batch.target, weights: batch.weights)
      }
      try gram.reduce { try ranks.sum($0) }
      return gram
    }
    let training = try sums(data.segments.training), heldOut = try sums(data.segments.heldOut)
    // One process solves: others might round otherwise.
    if ranks.isFirst {
      let fit = RidgeFit(training: training, heldOut: heldOut, prior: layer.output.value)
      layer.output.value.copyRows(of: fit.weight, to: 0)
    }
    try [layer.output].equalise(over: ranks)
  }
}
