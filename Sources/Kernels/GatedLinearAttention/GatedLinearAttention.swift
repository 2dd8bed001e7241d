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

  /// Runs the next tokens, one or many, on `state` [kvHeads, keyDimension, valueDimension], which is
  /// updated; returns o [tokens, heads, valueDimension]. See below for the shapes.
  public static func apply(
    queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix, logDecay: FloatMatrix,
    layout: HeadLayout, state: inout [Float]
  ) -> FloatMatrix {
    let tokens = layout.tokens(queries, keys, values, segments: 1)
    keys.requireSize(of: logDecay)
    precondition(state.count == stateCount(layout))
    let output = FloatMatrix(rows: tokens, columns: layout.outputWidth)
    withExtendedLifetime((queries, keys, values, logDecay, output)) {
      apply(
        queries: queries.pointer, keys: keys.pointer, values: values.pointer,
        logDecay: logDecay.pointer, tokens: tokens, layout: layout, state: &state,
        output: output.pointer)
    }
    return output
  }

  /// Runs `segments` independent sequences, one after another, all from the empty state; returns o
  /// [segments · tokens, heads, valueDimension].
  public static func applySegments(
    queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix, logDecay: FloatMatrix,
    segments: Int, layout: HeadLayout
  ) -> FloatMatrix {
    let tokens = layout.tokens(queries, keys, values, segments: segments)
    keys.requireSize(of: logDecay)
    let output = FloatMatrix(rows: queries.rows, columns: layout.outputWidth)
    withExtendedLifetime((queries, keys, values, logDecay, output)) {
      applySegments(
        queries: queries.pointer, keys: keys.pointer, values: values.pointer,
        logDecay: logDecay.pointer, segments: segments, tokens: tokens, layout: layout,
        output: output.pointer)
    }
    return output
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
  static func apply(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, tokens: Int, layout: HeadLayout,
    state: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>
  ) {
    forEachPanel(
      of: layout.valueDimension, segments: 1, work: tokens * (2 + layout.groupSize), layout: layout
    ) { _, kv, columns in
      forward(
        queries: queries, keys: keys, values: values, logDecay: logDecay, tokens: tokens,
        layout: layout, kvHead: kv, columns: columns,
        state: state + kv * layout.keyDimension * layout.valueDimension + columns.lowerBound,
        stateStride: layout.valueDimension, output: output)
    }
  }

  /// Runs `segments` independent sequences of `tokens` tokens each, all from the empty state.
  ///
  /// Shapes are those of `apply` with segments · tokens instead of tokens, segment after segment;
  /// the final states are not kept.
  static func applySegments(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, segments: Int, tokens: Int, layout: HeadLayout,
    output: UnsafeMutablePointer<Float>
  ) {
    forEachPanel(
      of: layout.valueDimension, segments: segments, work: tokens * (2 + layout.groupSize),
      layout: layout
    ) { segment, kv, columns in
      let first = segment * tokens, count = layout.keyDimension * columns.count
      withScratch(count) { state in
        state.update(repeating: 0, count: count)
        forward(
          queries: queries + first * layout.queryWidth, keys: keys + first * layout.keyWidth,
          values: values + first * layout.valueWidth, logDecay: logDecay + first * layout.keyWidth,
          tokens: tokens, layout: layout, kvHead: kv, columns: columns, state: state,
          stateStride: columns.count, output: output + first * layout.outputWidth)
      }
    }
  }

  /// One key/value head, some value channels; `state` points at the first of them.
  private static func forward(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, tokens: Int, layout: HeadLayout, kvHead kv: Int,
    columns: Range<Int>, state: UnsafeMutablePointer<Float>, stateStride: Int,
    output: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension, column = columns.lowerBound
    withScratch(Int(CK_GLA_CHUNK) * dk) { scratch in
      ck_gla_recurrent(
        Execution.isa,
        ck_gla_run(
          tokens: tokens, group: layout.groupSize, rows: dk, columns: columns.count,
          scale: layout.scale, lane_decay: 0, q: queries + kv * layout.groupSize * dk,
          q_stride: layout.queryWidth, k: keys + kv * dk, k_stride: layout.keyWidth,
          v: values + kv * dv + column, v_stride: layout.valueWidth, g: logDecay + kv * dk,
          g_stride: layout.keyWidth, state: state, state_stride: stateStride,
          o: output + kv * layout.groupSize * dv + column, o_stride: layout.outputWidth,
          o_head_stride: dv, scratch: scratch))
    }
  }

  /// Calls `body` with every segment, key/value head and panel of its `channels`, on all threads.
  ///
  /// Channels that never mix may be split between threads, in multiples of 16, but only as far as
  /// there are fewer heads than threads want. `work` counts multiply-adds per element of the
  /// state.
  static func forEachPanel(
    of channels: Int, segments: Int, work: Int, layout: HeadLayout,
    _ body: (_ segment: Int, _ kvHead: Int, _ columns: Range<Int>) -> Void
  ) {
    let heads = segments * layout.kvHeads
    guard heads > 0 else { return }
    let parallel = work * heads * layout.keyDimension * layout.valueDimension >= 1 << 19
    let wanted = parallel ? Parallel.threadCount * 2 : 1
    let panels = max(1, min((channels + 15) / 16, (wanted + heads - 1) / heads))
    let panel = ((channels + panels - 1) / panels + 15) / 16 * 16
    let perHead = (channels + panel - 1) / panel
    Parallel.forEach(heads * perHead, if: parallel) { index in
      let head = index / perHead, column = index % perHead * panel
      body(head / layout.kvHeads, head % layout.kvHeads, column..<min(channels, column + panel))
    }
  }
}
