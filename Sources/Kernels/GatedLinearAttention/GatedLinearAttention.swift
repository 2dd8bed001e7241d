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
    reference(
      queries: queries, keys: keys, values: values, logDecay: logDecay, tokens: tokens,
      layout: layout, state: state, output: output)
  }
}
