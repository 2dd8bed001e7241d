import CKernels

/// Gated linear attention: a decaying sum of key-value outer products read by queries.
///
/// S_t = diag(exp g_t) S_{t-1} + k_tᵀ v_t,  o_t = keyDimension^-1/2 q_t S_t, one state per
/// key/value head, read by every query head of its group. Source: report equation of the GLA
/// layer; Yang et al. 2023.
///
/// The recurrence itself is the fast form on a CPU, for prompts too. With 16 value channels of the
/// state in registers it costs d²(2 + heads per group) multiply-adds per token and key/value head,
/// at the speed of a matrix product. A chunked form needs d²(1 + heads per group) plus the work
/// inside chunks: for grouped heads its matrix products alone take longer (measured on Zen 4, d 64
/// and 128). And the recurrence is safe for any decay: no exponent is ever positive.
public enum GatedLinearAttention {
  /// Floats of the state [kvHeads, keyDimension, valueDimension].
  public static func stateCount(_ layout: HeadLayout) -> Int {
    layout.kvHeads * layout.keyDimension * layout.valueDimension
  }

  /// Runs `tokens` tokens, one or many.
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
    let dk = layout.keyDimension, dv = layout.valueDimension
    // The state's value channels never mix, so heads can be split over threads between them.
    let work = tokens * layout.kvHeads * dk * dv * (2 + layout.groupSize)
    let parallel = work >= 1 << 22
    let wanted = parallel ? Parallel.threadCount * 2 : 1
    let panels = max(1, min((dv + 15) / 16, (wanted + layout.kvHeads - 1) / layout.kvHeads))
    let panel = ((dv + panels - 1) / panels + 15) / 16 * 16
    let perHead = (dv + panel - 1) / panel
    Parallel.forEach(layout.kvHeads * perHead, if: parallel) { index in
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
  }
}
