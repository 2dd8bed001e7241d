import Architectures
import Communication
import Foundation
import Kernels
import Mixers
import Runtime
import StepSettings
public import Streams

extension Healer {
  /// What a healing will take, from timing its parts on the first segments.
  public struct Estimate: Sendable, Codable {
    /// Taking both streams through all layers.
    public var passes: Double
    /// Closed forms of all linear layers.
    public var solutions: Double
    /// One gradient step in every linear layer.
    public var step: Double
    /// Gradient steps per layer.
    public var steps: Int

    /// One gradient step of the second stage, and how many it takes.
    public var distillStep = 0.0
    public var distillSteps = 0
    /// Looking at the held-out segments before and after it.
    public var distillChecks = 0.0

    /// The second stage.
    public var distillation: Double {
      distillSteps > 0 ? distillChecks + distillStep * Double(distillSteps) : 0
    }

    /// Seconds in all.
    public var seconds: Double { passes + solutions + step * Double(steps) + distillation }
  }

  /// Times one segment through a layer of each kind and a gradient step, and adds up.
  ///
  /// With a time limit, the number of steps is what fits. Measured once: what was printed is what
  /// is run. Several ranks take as much less time as there are of them, at best.
  ///
  /// - Parameter known: what another healer of the same has measured.
  public func estimate(_ known: Estimate? = nil) throws -> Estimate {
    let estimate = try ranks.first { try known ?? timed() }
    measured = estimate
    return estimate
  }

  /// When, of the time that `estimate` predicts, each layer is done: a refitted layer takes longer
  /// than one that is only passed.
  public func schedule(_ estimate: Estimate) -> Schedule {
    let pass = estimate.passes / Double(model.layers.count)
    let refitted = model.layers.indices.map { refits($0) && settings.method != .none }
    let refit =
      (estimate.solutions + estimate.step * Double(estimate.steps))
      / Double(max(1, refitted.count(where: \.self)))
    return Schedule(
      layers: refitted.map { pass + ($0 ? refit : 0) }, rest: estimate.distillation)
  }

  /// The estimate of this process alone.
  func timed() throws -> Estimate {
    if let measured { return measured }
    let estimate = try settings.precision.used { try measure() }
    measured = estimate
    return estimate
  }

  /// The largest share of a batch that one process has.
  private func slowest(_ batch: Int) -> Double {
    Double((batch + ranks.size - 1) / ranks.size) / Double(batch)
  }

  /// Gradient steps in a layer, where there is time for all of them.
  var mostSteps: Int {
    if let steps = settings.steps { return steps }
    guard settings.timeLimit != nil else { return Healer.usualSteps }
    let passes = Healer.mostPasses * segments.training.count / settings.batch
    return max(Healer.usualSteps, passes)
  }

  /// Gradient steps of the second stage, where there is time for all of them.
  private var mostDistillSteps: Int {
    settings.distillSteps
      ?? Healer.mostDistillPasses * segments.training.count / settings.distillBatch
  }

  /// Steps where nothing says how many.
  private static let usualSteps = 1600
  /// Passes over the training segments after which a layer learns them by heart.
  private static let mostPasses = 16
  /// The same for the second stage, which trains more at once.
  private static let mostDistillPasses = 4
  /// Fewer steps of it are not worth what looking at the held-out segments takes.
  private static let fewestDistillSteps = 50

  private func measure() throws -> Estimate {
    let refitted = model.layers.indices.filter(refits)
    let probe = try Probe(self, layer: refitted.first ?? 0)
    let isRefit = settings.method != .none
    // Without a refit only the source's stream is needed.
    let segmentTime = try secondRun { try probe.pass(student: isRefit) }
    let share = 1 / Double(ranks.size)
    var estimate = Estimate(
      passes: share * segmentTime * Double(segments.count * model.layers.count), solutions: 0,
      step: 0, steps: 0)
    if isRefit {
      let forwardTime = try secondRun { try probe.forward() }
      let batches = Double(segments.count) / Double(settings.batch)
      // Before, after each closed form and at the end, held-out segments are run as well.
      let forwards = settings.method == .both ? 3.0 : settings.method == .ridge ? 1.5 : 0.5
      estimate.solutions = share * Double(refitted.count) * forwards * batches * forwardTime
    }
    if distills {
      let probe = DistillProbe(self)
      // A step waits for who has most segments of its batch.
      let share = slowest(settings.distillBatch) / Double(together)
      estimate.distillStep = share * Double(settings.distillBatch) * (try probe.seconds(factor: 1))
      // Held-out segments go forward only, before and after.
      estimate.distillChecks =
        share * 2 * Double(segments.heldOut.count) * (try probe.seconds(factor: nil))
      estimate.distillSteps = settings.distillSteps ?? 0
    }
    if settings.method == .gradient || settings.method == .both {
      estimate.step =
        slowest(settings.batch) * Double(refitted.count) * (try secondRun { try probe.step() })
      estimate.steps = mostSteps
    }
    if let limit = settings.timeLimit { shorten(&estimate, to: 60 * limit) }
    return estimate
  }

  /// Takes as many steps as fit in so many seconds, where their number is not given. The first stage
  /// goes before, up to its usual steps: only behind these the second pays more than further ones.
  private func shorten(_ estimate: inout Estimate, to limit: Double) {
    let most = estimate.steps
    func fit(_ step: Double) -> Int { max(0, Int((limit - estimate.seconds) / max(step, 1e-9))) }
    estimate.steps = 0
    if settings.distillSteps == nil, distills {
      estimate.steps = min(most, settings.steps ?? Healer.usualSteps, fit(estimate.step))
      estimate.distillSteps = 1
      estimate.distillSteps = min(mostDistillSteps, 1 + fit(estimate.distillStep))
      if settings.method == .none { return }
      if estimate.distillSteps >= min(mostDistillSteps, Healer.fewestDistillSteps),
        estimate.seconds <= limit
      {
        return
      }
      (estimate.steps, estimate.distillSteps) = (0, 0)
    }
    estimate.steps = min(most, fit(estimate.step))
  }

  /// One batch of embedded text, and a layer of each model to run it through.
  private struct Probe {
    let source: StreamedLayer
    let student: StreamedLayer
    let layer: TrainableMixer
    let batch: LayerData.Batch
    let segment: FloatMatrix
    let count: Int

    init(_ healer: Healer, layer index: Int) throws {
      let segments = healer.segments, model = healer.model
      count = min(healer.settings.batch, segments.count)
      source = try StreamedLayer(index, of: healer.source, on: segments)
      student = try StreamedLayer(index, of: healer.student, on: segments)
      layer = TrainableMixer(
        student.runner.weights, model: model,
        gateBias: healer.settings.gateBias)
      let hidden = try EmbeddingRows(healer.student.weights, model: model)
        .rows(segments.tokens[..<(count * segments.length)], segments: count)
      batch = LayerData.Batch(
        input: student.runner.normed(hidden), target: hidden,
        weights: [Float](repeating: 1, count: hidden.rows))
      segment = hidden.rows(0..<segments.length).copy
    }

    /// One segment through the layer of the source, and of the student.
    func pass(student both: Bool) throws {
      try source.run(segment.copy, 0)
      if both { try student.run(segment.copy, 0) }
    }

    func forward() throws { _ = layer(batch.input, segments: count) }

    /// A gradient step that changes nothing.
    func step() throws {
      let output = layer(batch.input, segments: count)
      _ = batch.lossAndGradient(of: output.value)
      output.pullback(output.value, nil)
      _ = layer.parameters.step(learningRate: 0, largestGradient: 1)
    }
  }
}
