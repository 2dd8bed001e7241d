import Kernels

/// What gated linear attention reads: features, values and decays of some tokens.
struct LinearInputs {
  /// Features of q [T, heads · d] and of k [T, kv · d], and v [T, kv · d].
  let heads: Projections
  /// Log-decay per token, key/value head and channel [T, kv · d].
  let logDecay: FloatMatrix

  /// The heads' outputs [T, heads · d] of the next tokens of a text.
  ///
  /// - Parameters:
  ///   - memory: [kv, d, d], updated.
  ///   - resets: when it is emptied; nil never.
  func next(_ layout: HeadLayout, memory: inout [Float], resets: StateResets?) -> FloatMatrix {
    guard let resets else { return apply(layout, 0..<heads.query.rows, &memory) }
    let tokens = heads.query.rows
    let output = FloatMatrix(rows: tokens, columns: layout.outputWidth)
    var done = 0
    while done < tokens {
      resets.apply(to: &memory, before: done)
      let rows = done..<min(tokens, done + resets.run(from: done))
      output.copyRows(of: apply(layout, rows, &memory), to: done)
      done = rows.upperBound
    }
    return output
  }

  private func apply(
    _ layout: HeadLayout, _ rows: Range<Int>, _ memory: inout [Float]
  ) -> FloatMatrix {
    GatedLinearAttention.apply(
      queries: heads.query.rows(rows), keys: heads.key.rows(rows), values: heads.value.rows(rows),
      logDecay: logDecay.rows(rows), layout: layout, state: &memory)
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
