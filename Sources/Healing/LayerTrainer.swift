import Architectures
import Foundation
import Kernels
import Recipes
import Runtime
import TensorTypes

/// Refits one attention layer to the source's attention output: ridge, gradients, ridge.
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
    var best = before
    var afterRidge = before
    if settings.method != .gradient {
      try refitOutput()
      afterRidge = try heldOutError()
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
    var order = Shuffle(count: data.trainingSegments.count)
    var running = 0.0
    for step in 0..<steps {
      let chosen = (0..<settings.batch).map { _ in data.trainingSegments[order.next(&generator)] }
      let batch = try data.batch(chosen)
      let output = layer(batch.input, segments: chosen.count)
      let loss = batch.lossAndGradient(of: output.value)
      guard loss.isFinite else { throw HealingError.diverged(layer: data.index) }
      running = step == 0 ? loss : 0.95 * running + 0.05 * loss
      output.pullback(output.value, nil)
      let rate = settings.learningRate * LearningRate.share(step, of: steps)
      guard layer.parameters.step(learningRate: rate, largestGradient: Self.largestGradient) else {
        throw HealingError.diverged(layer: data.index)
      }
      try progress(Double(step + 1) / Double(steps), running)
    }
  }

  /// Gradients of the relative loss above this norm are scaled down to it.
  private static let largestGradient = 1.0

  /// Relative error on the held-out segments: sum of weighted squares over that of the target.
  func heldOutError() throws -> Double {
    var error = 0.0, scale = 0.0
    for segment in data.heldOutSegments {
      let batch = try data.batch([segment])
      let (e, s) = batch.weightedError(of: layer(batch.input, segments: 1).value)
      error += e
      scale += s
    }
    return scale > 0 ? error / scale : 0
  }

  /// The mean squared norm of what linear attention gives to the output of o_proj, divided by the
  /// sum of that and the same of softmax attention, over the held-out tokens; nil when the layer has
  /// not both.
  private func linearShare() throws -> Double? {
    var linear = 0.0, softmax = 0.0
    for segment in data.heldOutSegments {
      let input = try data.batch([segment]).input
      guard let branches = layer.branches(input, segments: 1) else { return nil }
      linear += branches.linear.withoutSinks(data.sinks.rows, segments: 1).squaredNorm
      softmax += branches.softmax.withoutSinks(data.sinks.rows, segments: 1).squaredNorm
    }
    return linear + softmax > 0 ? linear / (linear + softmax) : 0
  }

  /// Solves o_proj in closed form on all training segments, towards what it is now; the ridge is
  /// chosen by the held-out error, and nothing changes when none helps.
  private func refitOutput() throws {
    let model = layer.model
    func sums(_ chosen: Range<Int>) throws -> Gram {
      let gram = Gram(features: model.queryWidth, targets: model.hiddenSize)
      for first in stride(from: chosen.lowerBound, to: chosen.upperBound, by: settings.batch) {
        let part = first..<min(first + settings.batch, chosen.upperBound)
        let batch = try data.batch(part)
        let features = layer.features(batch.input, segments: part.count).value
        if let bias = layer.outputBias {
          batch.target.addToRows(FloatMatrix(bias.map { -$0 }, rows: 1))
        }
        gram.add(features, batch.target, weights: batch.weights)
      }
      return gram
    }
    let fit = RidgeFit(
      training: try sums(data.trainingSegments), heldOut: try sums(data.heldOutSegments),
      prior: layer.output.value)
    layer.output.value.copyRows(of: fit.weight, to: 0)
  }
}
