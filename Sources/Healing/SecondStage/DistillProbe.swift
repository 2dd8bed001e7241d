import Architectures
import Recipes
import Runtime
import TensorTypes

/// Times the second stage: a layer of each kind and the head, added up over the model.
struct DistillProbe {
  private let healer: Healer
  private let tokens: ArraySlice<Int>

  init(_ healer: Healer) throws {
    self.healer = healer
    tokens = healer.tokens[..<(healer.together * healer.segments.length)]
  }

  /// Seconds for the segments that go through the model together: there and back with a `factor`,
  /// forward only without.
  func seconds(factor: Float?) throws -> Double {
    let model = healer.model
    let hidden = try EmbeddingRows(healer.studentWeights, model: model)
      .rows(tokens, segments: healer.together)
    let head = DistilledHead(
      student: try Predictions(model, weights: healer.studentWeights),
      teacher: try Predictions(healer.teacher, weights: healer.teacherWeights))
    var total = try Healer.seconds {
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
        first, model: model, weights: healer.studentWeights, scope: healer.settings.distillScope)
      total += Double(layers.count) * Healer.seconds { run(layer, hidden, batch, factor) }
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
  }
}
