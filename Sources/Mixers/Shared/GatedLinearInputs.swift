import Kernels

/// What gated linear attention reads: features, values and decays of some tokens.
struct GatedLinearInputs {
  /// Features of q [T, heads · d] and of k [T, kv · d], and v [T, kv · d].
  let heads: Projections
  /// Log-decay per token, key/value head and channel [T, kv · d].
  let logDecay: FloatMatrix

  /// The heads' outputs [T, heads · d] of the next tokens of a text.
  ///
  /// - Parameter memory: [kv, d, d], updated.
  func next(_ layout: HeadLayout, memory: inout [Float], pass: MixerPass) -> FloatMatrix {
    pass.recurrence(over: heads.query.rows, columns: layout.outputWidth, memory: &memory) {
      GatedLinearAttention.apply(
        queries: heads.query.rows($0), keys: heads.key.rows($0), values: heads.value.rows($0),
        logDecay: logDecay.rows($0), layout: layout, state: &$1)
    }
  }

  /// The heads' outputs [T, heads · d] of whole segments, each from an empty memory.
  func whole(_ layout: HeadLayout, segments: Int) -> FloatMatrix {
    GatedLinearAttention.applySegments(
      queries: heads.query, keys: heads.key, values: heads.value, logDecay: logDecay,
      segments: segments, layout: layout)
  }

  /// Gradients of the features and of the log-decay, from that of the outputs of `whole`.
  func backward(
    _ layout: HeadLayout, segments: Int, outputGradient: FloatMatrix
  ) -> (Projections, logDecay: FloatMatrix) {
    let found = GatedLinearAttention.backward(
      queries: heads.query, keys: heads.key, values: heads.value, logDecay: logDecay,
      outputGradient: outputGradient, segments: segments, layout: layout)
    return (
      Projections(query: found.queries, key: found.keys, value: found.values),
      logDecay: found.logDecay
    )
  }
}
