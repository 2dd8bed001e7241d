import Kernels

/// Rotary softmax attention over a window or everything, with gradients for its inputs.
///
/// It ignores spiked queries (`SoftmaxLayer.rotatedQuery`): healing refuses such models before it trains one.
struct SoftmaxTraining: MixerTraining {
  let model: MixerModel
  /// nil where nothing turns.
  let rotary: RotaryEmbedding?
  /// Most keys a token sees; nil for all.
  let window: Int?

  var parameters: [Parameter] { [] }

  func mix(_ heads: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    let angles = rotary?.table(first: 0, count: input.rows / segments)
    angles?.apply(to: heads.query, segments: segments)
    angles?.apply(to: heads.key, segments: segments)
    heads.query.scale(by: model.queryFactor)
    let features = WindowAttention.applySegments(
      queries: heads.query, keys: heads.key, values: heads.value, segments: segments,
      layout: model.layout, window: window, sinks: model.sinkCount, cap: model.scoreCap)
    return MixedHeads(features: features) { [model, window] gradient, _ in
      let found = WindowAttention.backward(
        queries: heads.query, keys: heads.key, values: heads.value, output: features,
        outputGradient: gradient, segments: segments, layout: model.layout, window: window,
        sinks: model.sinkCount, cap: model.scoreCap)
      found.queries.scale(by: model.queryFactor)
      angles?.apply(to: found.queries, segments: segments, inverse: true)
      angles?.apply(to: found.keys, segments: segments, inverse: true)
      return Projections(query: found.queries, key: found.keys, value: found.values)
    }
  }
}
