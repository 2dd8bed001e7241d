import Architectures
import Communication
import Foundation
import Foundations
import Kernels
import Mixers
import Runtime
import StepSettings
import Streams

/// The second stage of healing: attention or experts of all layers together, by gradients through the
/// whole model, towards the source's next-token distributions (knowledge distillation, Hinton et al. 2015).
struct Distiller {
  let model: TrainableModel
  let segments: Segments
  /// The source's final residual stream of all tokens.
  let source: HiddenStream
  let settings: HealSettings
  /// Segments that pass through the model together.
  let together: Int
  /// Saving takes at most one part in this many of the time.
  var timePerSave = 50.0

  /// Trains from where `state` stands up to `steps` steps.
  ///
  /// - Parameter progress: called with the share done and the mean divergence so far.
  func run(
    steps: Int, state: inout DistillState, save: (DistillState) throws -> Void,
    progress: (Double, Double) throws -> Void
  ) throws -> Healer.DistillReport {
    let all = model.parameters.flatMap(\.parameters)
    let before = try state.before ?? heldOut()
    guard before.isFinite else {
      throw RuntimeError.overflow(place: "in the model that is to be trained")
    }
    state.before = before
    var generator = SplitMix64(seed: settings.seed, label: "distill")
    var order = Shuffle(count: segments.training.count)
    // The first step is saved, which tells what saving costs.
    var nextSave = Date()
    for step in 0..<steps {
      let chosen = (0..<settings.distillBatch).map { _ in
        segments.training[segments.training.startIndex + order.next(&generator)]
      }
      // Steps of an earlier run are drawn again, so that the order goes on as it was.
      if step < state.step { continue }
      let factor = 1 / Float(chosen.count * segments.length)
      let sum = try divergence(chosen, factor: factor)
      try all.sumGradients(over: segments.ranks)
      let loss = sum * Double(factor)
      let rate = settings.distillLearningRate * LearningRate.share(step, of: steps)
      guard loss.isFinite, all.step(learningRate: rate, largestGradient: Self.largestGradient)
      else { throw HealingError.distillationDiverged(step: step) }
      state.step = step + 1
      state.running = step == 0 ? loss : 0.9 * state.running + 0.1 * loss
      if segments.ranks.isFirst, Date() >= nextSave {
        let began = Date()
        try save(state)
        nextSave = Date(timeIntervalSinceNow: timePerSave * -began.timeIntervalSinceNow)
      }
      try progress(Double(step + 1) / Double(steps), state.running)
    }
    try all.equalise(over: segments.ranks)
    let after = try heldOut()
    guard after.isFinite else { throw HealingError.distillationDiverged(step: steps) }
    return Healer.DistillReport(steps: steps, before: before, after: after)
  }

  /// Gradients above this norm are scaled down to it.
  private static let largestGradient = 1.0

  /// The mean divergence per token on the held-out segments.
  private func heldOut() throws -> Double {
    try divergence(Array(segments.heldOut), factor: nil)
      / Double(segments.heldOut.count * segments.length)
  }

  /// The divergence summed over some segments, a part of them at a time; gradients are added for
  /// those of this process only.
  private func divergence(_ chosen: [Int], factor: Float?) throws -> Double {
    let chosen = segments.own(chosen)
    var sums = [0.0]
    for first in stride(from: 0, to: chosen.count, by: together) {
      let part = chosen[first..<min(first + together, chosen.count)]
      sums[0] += try model.divergence(
        part.flatMap { segments[$0] }, segments: part.count,
        source: source.read(part.flatMap { segments.range(of: $0) }), factor: factor)
    }
    try segments.ranks.sum(&sums)
    return sums[0]
  }
}
