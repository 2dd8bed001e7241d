import CKernels

/// Gated linear attention: a decaying sum of key-value outer products read by queries.
///
/// S_t = diag(exp g_t) S_{t-1} + k_tᵀ v_t,  o_t = keyDimension^-1/2 q_t S_t, one state per
/// key/value head, read by every query head of its group. Source: report equation of the GLA
/// layer; Yang et al. 2023.
public enum GatedLinearAttention {
  /// Floats of the state [kvHeads, keyDimension, valueDimension].
  public static func stateCount(_ layout: HeadLayout) -> Int {
    layout.kvHeads * layout.keyDimension * layout.valueDimension
  }

  /// Runs `tokens` tokens, few or many, by the fastest form.
  ///
  /// - Parameters:
  ///   - queries: q [tokens, heads, keyDimension].
  ///   - keys: k [tokens, kvHeads, keyDimension].
  ///   - values: v [tokens, kvHeads, valueDimension].
  ///   - logDecay: g [tokens, kvHeads, keyDimension], <= 0, as small as you like.
  ///   - state: S, read and updated in place.
  ///   - output: o [tokens, heads, valueDimension].
  public static func apply(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, tokens: Int, layout: HeadLayout,
    state: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>
  ) {
    recurrent(
      queries: queries, keys: keys, values: values, logDecay: logDecay, tokens: tokens,
      layout: layout, state: state, output: output)
  }

  /// The recurrence, token by token, in float32; parameters as for `apply`.
  public static func recurrent(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, tokens: Int, layout: HeadLayout,
    state: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension
    // The state's value channels never mix, so heads can be split over threads between them.
    let work = tokens * layout.kvHeads * dk * dv * (2 + layout.groupSize)
    let wanted = work < 1 << 22 ? 1 : Parallel.threadCount * 2
    let panels = max(1, min((dv + 15) / 16, (wanted + layout.kvHeads - 1) / layout.kvHeads))
    let panel = ((dv + panels - 1) / panels + 15) / 16 * 16
    let perHead = (dv + panel - 1) / panel
    let unit = { (index: Int) in
      let kv = index / perHead, column = index % perHead * panel
      withScratch(Int(CK_GLA_CHUNK) * dk) { scratch in
        ck_gla_recurrent(
          tokens, layout.groupSize, dk, min(panel, dv - column), layout.scale,
          queries + kv * layout.groupSize * dk, layout.queryWidth, keys + kv * dk,
          logDecay + kv * dk, layout.keyWidth, values + kv * dv + column, layout.valueWidth,
          state + kv * dk * dv + column, dv, output + kv * layout.groupSize * dv + column,
          layout.outputWidth, dv, scratch)
      }
    }
    let units = layout.kvHeads * perHead
    if wanted == 1 { for index in 0..<units { unit(index) } } else { Parallel.forEach(units, unit) }
  }
}
