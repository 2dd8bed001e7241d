extension WindowAttention {
  /// Attends within `segments` independent sequences, one after another; returns o
  /// [segments · tokens, heads, valueDimension]. See below for the parameters, and `applyCapped` for
  /// `cap`.
  public static func applySegments(
    queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix, segments: Int,
    layout: HeadLayout, window: Int? = nil, sinks: Int = 0, cap: Double? = nil
  ) -> FloatMatrix {
    let tokens = layout.tokens(queries, keys, values, segments: segments)
    let output = FloatMatrix(rows: queries.rows, columns: layout.outputWidth)
    withExtendedLifetime((queries, keys, values, output)) {
      if let cap {
        for first in stride(from: 0, to: queries.rows, by: max(1, tokens)) {
          applyCapped(
            queries: queries.pointer + first * layout.queryWidth, tokens: tokens, firstPosition: 0,
            layout: layout,
            segments: KeyValueSegment.text(
              keys: keys.pointer + first * layout.keyWidth,
              values: values.pointer + first * layout.valueWidth, tokens: tokens, sinks: sinks,
              layout: layout), window: window ?? .max, cap: cap,
            output: output.pointer + first * layout.outputWidth)
        }
        return
      }
      applySegments(
        queries: queries.pointer, keys: keys.pointer, values: values.pointer, segments: segments,
        tokens: tokens, layout: layout, window: window, sinks: sinks, output: output.pointer)
    }
    return output
  }

  /// Attends within `segments` independent sequences of `tokens` tokens each, from empty contexts.
  ///
  /// What `apply` computes for each segment, with the blocks of all segments side by side. The result
  /// does not depend on threads.
  ///
  /// - Parameters:
  ///   - queries: q [segments · tokens, heads, keyDimension], rotated, not yet scaled.
  ///   - keys: k [segments · tokens, kvHeads, keyDimension], rotated.
  ///   - values: v [segments · tokens, kvHeads, valueDimension].
  ///   - window: visible keys including the query's own position, at least 1; nil for all.
  ///   - sinks: the first so many tokens of each sequence see each other and nothing else, and are
  ///     seen by every token besides its window; at most `tokens`.
  ///   - output: o [segments · tokens, heads, valueDimension].
  static func applySegments(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    segments: Int, tokens: Int, layout: HeadLayout, window: Int? = nil, sinks: Int = 0,
    output: UnsafeMutablePointer<Float>
  ) {
    guard segments > 0, tokens > 0 else { return }
    let call = { (segment: Int) in
      let first = segment * tokens
      let context = KeyValueSegment.text(
        keys: keys + first * layout.keyWidth, values: values + first * layout.valueWidth,
        tokens: tokens, sinks: sinks, layout: layout)
      return WindowAttentionCall(
        queries: queries + first * layout.queryWidth, tokens: tokens, firstPosition: 0,
        layout: layout, segments: context, window: window ?? .max,
        output: output + first * layout.outputWidth)
    }
    let pieces = call(0).pieces
    let work = segments * tokens * min(tokens, window ?? .max) * layout.queryWidth
    Parallel.forEach(segments * pieces, if: work > 1 << 19) { index in
      call(index % segments).run(piece: index / segments)
    }
  }
}
