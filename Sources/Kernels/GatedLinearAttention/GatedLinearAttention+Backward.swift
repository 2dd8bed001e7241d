import CKernels

extension GatedLinearAttention {
  /// The gradients of `apply` (or `applySegments`) for the gradient dO of its outputs; the final
  /// states have none.
  ///
  /// With R_t the gradient of S_t and c = keyDimension^-1/2:
  /// R_t = c q_tᵀ dO_t + diag(exp g_{t+1}) R_{t+1},  dq_t = c dO_t S_tᵀ,  dk_t = v_t R_tᵀ,
  /// dv_t = k_t R_t,  dg_t = sum over s >= t of (q_s · dq_s - k_s · dk_s), elementwise; where heads
  /// share k, v and g, the products with q and dO are summed over the group.
  ///
  /// Three recurrences, none of which keeps more than one state: S transposed for dq, R transposed
  /// for dk, R for dv. dg needs no state at all; its sums run in float64, because they cancel.
  ///
  /// - Parameters:
  ///   - queries: q [segments · tokens, heads, keyDimension].
  ///   - keys: k [segments · tokens, kvHeads, keyDimension].
  ///   - values: v [segments · tokens, kvHeads, valueDimension].
  ///   - logDecay: g, shaped as k, <= 0, as small as you like.
  ///   - outputGradient: dO [segments · tokens, heads, valueDimension].
  ///   - segments: independent sequences, one after another.
  ///   - tokens: tokens of each.
  ///   - initialState: S before the first token of each segment [segments, state], or nil for
  ///     zeros.
  ///   - queryGradient: dq, shaped as q; overwritten, like all that follow.
  ///   - keyGradient: dk, shaped as k.
  ///   - valueGradient: dv, shaped as v.
  ///   - logDecayGradient: dg, shaped as g.
  public static func backward(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>, segments: Int = 1,
    tokens: Int, layout: HeadLayout, initialState: UnsafePointer<Float>? = nil,
    queryGradient: UnsafeMutablePointer<Float>, keyGradient: UnsafeMutablePointer<Float>,
    valueGradient: UnsafeMutablePointer<Float>, logDecayGradient: UnsafeMutablePointer<Float>
  ) {
    let call = GatedLinearAttentionBackward(
      layout: layout, tokens: tokens, queries: queries, keys: keys, values: values,
      logDecay: logDecay, outputGradient: outputGradient, initialState: initialState,
      queryGradient: queryGradient, keyGradient: keyGradient, valueGradient: valueGradient,
      logDecayGradient: logDecayGradient)
    let work = tokens * (2 + layout.groupSize)
    forEachPanel(of: layout.keyDimension, segments: segments, work: 2 * work, layout: layout) {
      call.keySide(segment: $0, kvHead: $1, channels: $2)
    }
    forEachPanel(of: layout.valueDimension, segments: segments, work: work, layout: layout) {
      call.valueSide(segment: $0, kvHead: $1, channels: $2)
    }
  }
}

/// The arguments of one `GatedLinearAttention.backward`.
private struct GatedLinearAttentionBackward {
  let layout: HeadLayout
  let tokens: Int
  let queries, keys, values, logDecay, outputGradient: UnsafePointer<Float>
  let initialState: UnsafePointer<Float>?
  let queryGradient, keyGradient, valueGradient, logDecayGradient: UnsafeMutablePointer<Float>

  /// dq, dk and dg of one key/value head for some key channels, which lie in the lanes: states are
  /// [valueDimension, channels].
  func keySide(segment: Int, kvHead kv: Int, channels: Range<Int>) {
    let dk = layout.keyDimension, dv = layout.valueDimension, width = channels.count
    let group = layout.groupSize, first = segment * tokens
    let query = first * layout.queryWidth + kv * group * dk + channels.lowerBound
    let key = first * layout.keyWidth + kv * dk + channels.lowerBound
    let v = values + first * layout.valueWidth + kv * dv
    let dO = outputGradient + first * layout.outputWidth + kv * group * dv
    withScratch(dv * width + Int(CK_GLA_CHUNK) * width) { state in
      let scratch = state + dv * width
      state.update(repeating: 0, count: dv * width)
      if let initialState {
        let stored = initialState + (segment * layout.kvHeads + kv) * dk * dv
        for j in 0..<dv {
          for (i, channel) in channels.enumerated() {
            state[j * width + i] = stored[channel * dv + j]
          }
        }
      }
      ck_gla_recurrent(
        tokens, group, dv, width, layout.scale, dO, layout.outputWidth, v, layout.valueWidth,
        keys + key, layout.keyWidth, logDecay + key, layout.keyWidth, 1, state, width,
        queryGradient + query, layout.queryWidth, dk, scratch)
      state.update(repeating: 0, count: dv * width)
      ck_gla_adjoint(
        tokens, group, dv, width, layout.scale, dO, layout.outputWidth, queries + query,
        layout.queryWidth, dk, v, layout.valueWidth, logDecay + key, layout.keyWidth, 1, state,
        width, keyGradient + key, layout.keyWidth, scratch)
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { sums in
      guard let sums = sums.baseAddress else { return }
      ck_gla_decay_gradient(
        tokens, group, width, queries + query, queryGradient + query, layout.queryWidth, dk,
        keys + key, keyGradient + key, layout.keyWidth, logDecayGradient + key, sums)
    }
  }

  /// dv of one key/value head for some value channels, which lie in the lanes: the state is
  /// [keyDimension, channels].
  func valueSide(segment: Int, kvHead kv: Int, channels: Range<Int>) {
    let dk = layout.keyDimension, dv = layout.valueDimension, width = channels.count
    let group = layout.groupSize, first = segment * tokens
    let query = first * layout.queryWidth + kv * group * dk
    let key = first * layout.keyWidth + kv * dk
    let value = first * layout.valueWidth + kv * dv + channels.lowerBound
    let output = first * layout.outputWidth + kv * group * dv + channels.lowerBound
    withScratch(dk * width + Int(CK_GLA_CHUNK) * dk) { state in
      state.update(repeating: 0, count: dk * width)
      ck_gla_adjoint(
        tokens, group, dk, width, layout.scale, queries + query, layout.queryWidth,
        outputGradient + output, layout.outputWidth, dv, keys + key, layout.keyWidth,
        logDecay + key, layout.keyWidth, 0, state, width, valueGradient + value,
        layout.valueWidth, state + dk * width)
    }
  }
}
