import Architectures
import Kernels
import Recipes
import Runtime
import TensorTypes

extension Healer {
  /// Refits down_proj of a layer in closed form so that the healed stream leaving the layer comes
  /// back to the source's: min |Wd phi - (h_source' - h_middle)|², ridge towards what it is.
  ///
  /// The feed-forward part sees every drift that attention left and has far more parameters than
  /// o_proj; the ridge is chosen on held-out segments, and nothing changes when none helps.
  func refitFeedForward(
    _ layer: Int, _ weights: LayerWeights, from stream: HiddenStream, middle: HiddenStream,
    source: HiddenStream
  ) throws -> HealedTensors? {
    let runner = LayerRunner(weights: weights, model: model)
    let angles = RotaryEmbedding(model).table(first: 0, count: segments.length)
    func sums(_ chosen: Range<Int>) throws -> Gram {
      let gram = Gram(features: model.feedForwardSize, targets: model.hiddenSize)
      for segment in chosen {
        let first = segments.firstToken(of: segment)
        let hidden = try stream.read(first, count: segments.length)
        var state = DecodingState(for: model).layers[layer]
        if let output = runner.attention(hidden, state: &state, position: 0, angles: angles) {
          hidden.add(output)
        }
        let target = try source.read(first, count: segments.length)
        var scales = target.rowScales
        scales[0] *= Float(settings.sinkWeight)
        target.subtract(hidden)
        if let bias = weights.ffnDown.bias {
          target.addToRows(FloatMatrix(bias.map { -$0 }, rows: 1))
        }
        gram.add(runner.feedForwardFeatures(hidden), target, weights: scales)
      }
      return gram
    }
    let training = try sums(segments.training), heldOut = try sums(segments.heldOut)
    let prior = weights.ffnDown.matrix
    let start = heldOut.squaredError(of: prior)
    var best: (error: Double, weight: FloatMatrix)?
    for ridge in [1e-4, 1e-3, 1e-2, 1e-1, 1] {
      guard let weight = training.solution(ridge: ridge, towards: prior) else { continue }
      let error = heldOut.squaredError(of: weight)
      if error < min(start, best?.error ?? .infinity) { best = (error, weight) }
    }
    guard let best else { return nil }
    var tensors = HealedTensors()
    tensors.set(
      TensorAddress(.ffnDown, layer: layer),
      to: MemoryStorage.view(
        Array(best.weight.elements), shape: [best.weight.rows, best.weight.columns]))
    return tensors
  }
}

extension FloatMatrix {
  /// Subtracts another matrix of the same size.
  func subtract(_ other: FloatMatrix) {
    withExtendedLifetime((self, other)) {
      Vector.addScaled(other.pointer, by: -1, count: count, to: pointer)
    }
  }

  /// 1 / mean square per row: the next norm sees relative errors only.
  var rowScales: [Float] {
    let zero = FloatMatrix(rows: rows, columns: columns)
    zero.elements.update(repeating: 0)
    return RowDistances(zero, from: self).squaredNorms.map {
      Float(columns) / max($0, 1e-20)
    }
  }
}
