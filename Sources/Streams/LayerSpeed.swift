import Architectures
import Dispatch
import Kernels
import Mixers
import Runtime

/// How fast a model's layers are, to tell beforehand how long they will take.
package struct LayerSpeed {
  /// Seconds of a token in a layer, the mean of all layers.
  package let secondsPerToken: Double

  /// Tokens that are taken through a layer of each kind.
  private static let most = 256

  /// Times `tokens`, or the first of them, in one layer of each kind that `model` has.
  package init(of model: DescribedModel, on tokens: [Int]) throws {
    let layers = model.description.layers
    let segments = Segments([Array(tokens.prefix(Self.most))])
    let hidden = try EmbeddingRows(model.weights, model: model.description)
      .rows(segments.tokens[...])
    let kinds = layers.map { "\($0.mixer.text), \($0.feedForward.text)" }
    var seconds = 0.0
    for kind in Set(kinds).sorted() {
      guard let first = kinds.firstIndex(of: kind) else { continue }
      let layer = try StreamedLayer(first, of: model, on: segments)
      let time = try secondRun { try layer.run(hidden.copy, 0) }
      seconds += time * Double(kinds.count { $0 == kind })
      layer.discardWeights()
    }
    secondsPerToken = seconds / Double(max(1, layers.count * segments.tokens.count))
  }
}

/// Seconds of the second of two runs: the first one maps pages and fills caches.
package func secondRun(_ body: () throws -> Void) rethrows -> Double {
  try body()
  let started = DispatchTime.now().uptimeNanoseconds
  try body()
  return Double(DispatchTime.now().uptimeNanoseconds - started) * 1e-9
}
