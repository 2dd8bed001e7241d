/// Causal softmax attention over the last `window` keys, or all of them.
public enum WindowAttention {
  /// Attends from new queries to the keys in `segments`; returns o [tokens, heads, valueDimension].
  ///
  /// o = softmax(keyDimension^-1/2 q kᵀ) v over the visible keys; zero when there are none.
  ///
  /// - Parameters:
  ///   - queries: q [tokens, heads, keyDimension], rotated; the first is at `firstPosition`.
  ///   - segments: keys and values, the new tokens' own included, in any order.
  ///   - window: visible keys including the query's own position; nil for full attention.
  ///   - cap: what scores are capped to, see `applyCapped`; nil for nothing.
  public static func apply(
    queries: FloatMatrix, firstPosition: Int, layout: HeadLayout, segments: [KeyValueSegment],
    window: Int?, cap: Double? = nil
  ) -> FloatMatrix {
    precondition(queries.columns == layout.queryWidth)
    precondition(segments.allSatisfy { $0.fits(layout) })
    let output = FloatMatrix(rows: queries.rows, columns: layout.outputWidth)
    withExtendedLifetime((queries, segments, output)) {
      if let cap {
        applyCapped(
          queries: queries.pointer, tokens: queries.rows, firstPosition: firstPosition,
          layout: layout, segments: segments, window: window ?? .max, cap: cap,
          output: output.pointer)
      } else {
        apply(
          queries: queries.pointer, tokens: queries.rows, firstPosition: firstPosition,
          layout: layout, segments: segments, window: window ?? .max, output: output.pointer)
      }
    }
    return output
  }

  /// Attends from `tokens` new queries to the keys in `segments`.
  ///
  /// - Parameters:
  ///   - queries: q [tokens, heads, keyDimension], rotated; the first is at `firstPosition`.
  ///   - segments: keys and values, the new tokens' own included, in any order.
  ///   - window: visible keys including the query's own position; `Int.max` for full attention.
  ///   - output: o [tokens, heads, valueDimension].
  ///
  /// o = softmax(keyDimension^-1/2 q kᵀ) v over the visible keys; zero when there are none.
  static func apply(
    queries: UnsafePointer<Float>, tokens: Int, firstPosition: Int, layout: HeadLayout,
    segments: [KeyValueSegment], window: Int, output: UnsafeMutablePointer<Float>
  ) {
    let call = WindowAttentionCall(
      queries: queries, tokens: tokens, firstPosition: firstPosition, layout: layout,
      segments: segments, window: window, output: output)
    // A matrix product needs some rows to pay; below that, one pass over the keys per token.
    if tokens < 3 || tokens * layout.groupSize < 16 { call.stream() } else { call.runBlocks() }
  }
}

/// The arguments of one `WindowAttention.apply`.
struct WindowAttentionCall {
  let queries: UnsafePointer<Float>
  let tokens: Int
  let firstPosition: Int
  let layout: HeadLayout
  let segments: [KeyValueSegment]
  let window: Int
  let output: UnsafeMutablePointer<Float>
}
