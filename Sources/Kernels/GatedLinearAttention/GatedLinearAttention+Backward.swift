import CKernels

extension GatedLinearAttention {
  /// The gradients dq, dk, dv and dg of `applySegments` for the gradient dO of its output. See below.
  public static func backward(
    queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix, logDecay: FloatMatrix,
    outputGradient: FloatMatrix, segments: Int, layout: HeadLayout
  ) -> (queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix, logDecay: FloatMatrix) {
    let tokens = layout.tokens(queries, keys, values, segments: segments)
    keys.requireSize(of: logDecay)
    precondition(
      outputGradient.rows == queries.rows && outputGradient.columns == layout.outputWidth)
    let gradients = (queries.unset, keys.unset, values.unset, logDecay.unset)
    withExtendedLifetime((queries, keys, values, logDecay, outputGradient, gradients)) {
      backward(
        queries: queries.pointer, keys: keys.pointer, values: values.pointer,
        logDecay: logDecay.pointer, outputGradient: outputGradient.pointer, segments: segments,
        tokens: tokens, layout: layout, queryGradient: gradients.0.pointer,
        keyGradient: gradients.1.pointer, valueGradient: gradients.2.pointer,
        logDecayGradient: gradients.3.pointer)
    }
    return gradients
  }

  /// The gradients of `apply` (or `applySegments`) for the gradient dO of its outputs; the final
  /// states have none.
  ///
  /// With R_t the gradient of S_t and c = keyDimension^-1/2:
  /// R_t = c q_tᵀ dO_t + diag(exp g_{t+1}) R_{t+1},  dq_t = c dO_t S_tᵀ,  dk_t = v_t R_tᵀ,
  /// dv_t = k_t R_t,  dg_t = sum over s >= t of (q_s · dq_s - k_s · dk_s), elementwise; where heads
  /// share k, v and g, the products with q and dO are summed over the group.
  ///
  /// Three recurrences: S transposed for dq, R transposed for dk, R for dv. The sums of dg cancel, so
  /// they run in float64 and only over chunks of `chunk` tokens: between chunks dg is computed anew
  /// from its definition, the sum of S_{t-1} · diag(exp g_t) R_t. Otherwise rounding errors would
  /// walk away over a long sequence, and the gate's bias, whose gradient sums dg, would see them all.
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
  static func backward(
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

extension GatedLinearAttention {
  /// Tokens over which the sums of dg run; one state per chunk is kept.
  fileprivate static var chunk: Int { 64 }
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
    let dk = layout.keyDimension, width = channels.count, size = layout.valueDimension * width
    let chunk = GatedLinearAttention.chunk, chunks = (tokens + chunk - 1) / chunk
    let side = KeySide(
      call: self, width: width,
      query: segment * tokens * layout.queryWidth + kv * layout.groupSize * dk
        + channels.lowerBound,
      key: segment * tokens * layout.keyWidth + kv * dk + channels.lowerBound,
      value: segment * tokens * layout.valueWidth + kv * layout.valueDimension,
      output: segment * tokens * layout.outputWidth
        + kv * layout.groupSize * layout.valueDimension)
    // The states before every chunk, the one after the last, and the gradient.
    withScratch((chunks + 2) * size + Int(CK_GLA_CHUNK) * width) { states in
      let gradient = states + (chunks + 1) * size, scratch = gradient + size
      copyInitialState(segment * layout.kvHeads + kv, channels, to: states)
      for index in 0..<chunks {
        let state = states + (index + 1) * size
        state.update(from: state - size, count: size)
        side.forward(index * chunk..<min(tokens, (index + 1) * chunk), state, scratch)
      }
      withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { sums in
        guard let sums = sums.baseAddress else { return }
        sums.initialize(repeating: 0, count: width)
        gradient.update(repeating: 0, count: size)
        for index in (0..<chunks).reversed() {
          side.backward(index * chunk..<min(tokens, (index + 1) * chunk), gradient, sums, scratch)
          ck_column_products(
            Execution.isa, states + index * size, gradient, layout.valueDimension, width,
            Double(layout.scale),
            sums)
        }
      }
    }
  }

  /// Some key channels of a head's initial state, transposed.
  private func copyInitialState(
    _ head: Int, _ channels: Range<Int>, to state: UnsafeMutablePointer<Float>
  ) {
    let dv = layout.valueDimension
    guard let initialState else {
      return state.update(repeating: 0, count: dv * channels.count)
    }
    let stored = initialState + head * layout.keyDimension * dv
    for j in 0..<dv {
      for (i, channel) in channels.enumerated() {
        state[j * channels.count + i] = stored[channel * dv + j]
      }
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
        Execution.isa,
        ck_gla_adjoint_run(
          tokens: tokens, group: group, rows: dk, columns: width, scale: layout.scale,
          lane_decay: 0, a: queries + query, a_stride: layout.queryWidth,
          b: outputGradient + output, b_stride: layout.outputWidth, b_head_stride: dv,
          c: keys + key, c_stride: layout.keyWidth, g: logDecay + key, g_stride: layout.keyWidth,
          state: state, state_stride: width, o: valueGradient + value,
          o_stride: layout.valueWidth, scratch: state + dk * width))
    }
  }
}

/// Where one key/value head's first token and channel lie.
private struct KeySide {
  let call: GatedLinearAttentionBackward
  let width, query, key, value, output: Int

  /// dq of some tokens; `state` goes from before them to after them.
  func forward(
    _ tokens: Range<Int>, _ state: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let layout = call.layout, t = tokens.lowerBound
    let query = query + t * layout.queryWidth, key = key + t * layout.keyWidth
    ck_gla_recurrent(
      Execution.isa,
      ck_gla_run(
        tokens: tokens.count, group: layout.groupSize, rows: layout.valueDimension,
        columns: width, scale: layout.scale, lane_decay: 1,
        q: call.outputGradient + output + t * layout.outputWidth, q_stride: layout.outputWidth,
        k: call.values + value + t * layout.valueWidth, k_stride: layout.valueWidth,
        v: call.keys + key, v_stride: layout.keyWidth, g: call.logDecay + key,
        g_stride: layout.keyWidth, state: state, state_stride: width,
        o: call.queryGradient + query, o_stride: layout.queryWidth,
        o_head_stride: layout.keyDimension, scratch: scratch))
  }

  /// dk and dg of some tokens; `gradient` goes from after them to before them, and `sums` are dg of
  /// the token after them.
  func backward(
    _ tokens: Range<Int>, _ gradient: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Double>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    let layout = call.layout, t = tokens.lowerBound
    let query = query + t * layout.queryWidth, key = key + t * layout.keyWidth
    ck_gla_adjoint(
      Execution.isa,
      ck_gla_adjoint_run(
        tokens: tokens.count, group: layout.groupSize, rows: layout.valueDimension,
        columns: width, scale: layout.scale, lane_decay: 1,
        a: call.outputGradient + output + t * layout.outputWidth, a_stride: layout.outputWidth,
        b: call.queries + query, b_stride: layout.queryWidth, b_head_stride: layout.keyDimension,
        c: call.values + value + t * layout.valueWidth, c_stride: layout.valueWidth,
        g: call.logDecay + key, g_stride: layout.keyWidth, state: gradient, state_stride: width,
        o: call.keyGradient + key, o_stride: layout.keyWidth, scratch: scratch))
    ck_gla_decay_gradient(
      Execution.isa,
      ck_gla_decay_run(
        tokens: tokens.count, group: layout.groupSize, columns: width, q: call.queries + query,
        dq: call.queryGradient + query, q_stride: layout.queryWidth,
        q_head_stride: layout.keyDimension, k: call.keys + key, dk: call.keyGradient + key,
        k_stride: layout.keyWidth, dg: call.logDecayGradient + key, sums: sums))
  }
}
