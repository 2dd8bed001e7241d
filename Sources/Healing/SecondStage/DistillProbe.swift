import Architectures
import Kernels
import Mixers
import Runtime
import StepSettings
import Streams

/// Times the second stage: a layer of each kind and the head, added up over the model.
struct DistillProbe {
  private let healer: Healer
  private let tokens: ArraySlice<Int>

  init(_ healer: Healer) {
    self.healer = healer
    tokens = healer.segments.tokens[..<(healer.together * healer.segments.length)]
  }

  /// Seconds for the segments that go through the model together: there and back with a `factor`,
  /// forward only without.
  func seconds(factor: Float?) throws -> Double {
    let model = healer.model
    let hidden = try EmbeddingRows(healer.student.weights, model: model)
      .rows(tokens, segments: healer.together)
    let head = try DistilledHead(
      student: Predictions(of: healer.student), teacher: Predictions(of: healer.source))
    var total = try secondRun {
      _ = try head.divergence(hidden, source: hidden, factor: factor)
    }
    let batch = TrainableLayer.Batch(
      tokens, segments: healer.together, sinkCount: model.sinkCount)
    let kinds = Dictionary(grouping: model.layers.indices) {
      "\(model.layers[$0].mixer.kind), \(model.layers[$0].feedForward)"
    }
    for layers in kinds.values {
      guard let first = layers.first else { continue }
      let layer = try TrainableLayer(
        first, of: healer.student, scope: healer.settings.distillScope)
      total += Double(layers.count) * secondRun { run(layer, hidden, batch, factor) }
    }
    return total
  }

  private func run(
    _ layer: TrainableLayer, _ hidden: FloatMatrix, _ batch: TrainableLayer.Batch, _ factor: Float?
  ) {
    let trace = layer(hidden, batch)
    guard factor != nil else { return }
    if healer.recomputes { _ = layer(hidden, batch) }
    let below = hidden.zeros
    trace.pullback(trace.value, below)
    _ = layer.parameters.step(learningRate: 0, largestGradient: 1)
  }
}
