import Architectures
import Kernels
import Runtime

/// Rotary softmax attention over a window or everything, with gradients for its inputs.
struct SoftmaxCore: MixingCore {
  private let model: ModelDescription
  /// nil where nothing turns.
  private let rotary: RotaryEmbedding?
  /// Most keys a token sees; nil for all.
  private let window: Int?

  /// The core of layer `layer`.
  init(model: ModelDescription, layer: Int, window: Int?) {
    self.model = model
    self.window = window
    rotary = RotaryEmbedding(model, layer: layer)
  }

  var parameters: [Parameter] { [] }

  func mix(_ projections: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    let tokens = input.rows / segments
    let angles = rotary?.table(first: 0, count: tokens)
    func rotate(_ matrix: FloatMatrix, heads: Int, back: Bool = false) {
      for segment in 0..<segments {
        let rows = matrix.row(segment * tokens)
        if back {
          angles?.backward(rows, tokens: tokens, heads: heads)
        } else {
          angles?.apply(to: rows, tokens: tokens, heads: heads)
        }
      }
      withExtendedLifetime(matrix) {}
    }
    rotate(projections.query, heads: model.heads)
    rotate(projections.key, heads: model.keyValueHeads)
    let features = FloatMatrix(rows: input.rows, columns: model.queryWidth)
    withExtendedLifetime((projections, features)) {
      WindowAttention.applySegments(
        queries: projections.query.pointer, keys: projections.key.pointer,
        values: projections.value.pointer, segments: segments, tokens: tokens,
        layout: model.headLayout, window: window, sinks: model.sinkCount,
        output: features.pointer)
    }
    return MixedHeads(features: features) { [model, window] gradient, _ in
      let result = Projections(
        query: projections.query.unset, key: projections.key.unset,
        value: projections.value.unset)
      withExtendedLifetime((projections, features, gradient, result)) {
        WindowAttention.backward(
          queries: projections.query.pointer, keys: projections.key.pointer,
          values: projections.value.pointer, output: features.pointer,
          outputGradient: gradient.pointer, segments: segments, tokens: tokens,
          layout: model.headLayout, window: window, sinks: model.sinkCount,
          queryGradient: result.query.pointer, keyGradient: result.key.pointer,
          valueGradient: result.value.pointer)
      }
      rotate(result.query, heads: model.heads, back: true)
      rotate(result.key, heads: model.keyValueHeads, back: true)
      return result
    }
  }
}
