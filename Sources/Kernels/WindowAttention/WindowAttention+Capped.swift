import Foundation

extension WindowAttention {
  /// The same as `apply` with scores s capped to cap · tanh(s / cap): in plain Swift, sums in float64.
  ///
  /// o = softmax(cap · tanh(keyDimension^-1/2 q kᵀ / cap)) v over the visible keys; zero when there
  /// are none. A task is a head of a token, so the result does not depend on threads.
  static func applyCapped(
    queries: UnsafePointer<Float>, tokens: Int, firstPosition: Int, layout: HeadLayout,
    segments: [KeyValueSegment], window: Int, cap: Double, output: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension
    let factor = 1 / Double(dk).squareRoot()
    Parallel.forEach(tokens * layout.heads, if: tokens > 1) { index in
      let t = index / layout.heads, h = index % layout.heads, kv = h / layout.groupSize
      let q = queries + t * layout.queryWidth + h * dk
      var scores: [Double] = [], rows: [UnsafePointer<Float>] = []
      for segment in segments {
        for j in segment.visible(from: firstPosition + t, window: window) {
          let k = segment.keys + j * layout.keyWidth + kv * dk
          var score = 0.0
          for c in 0..<dk { score += Double(q[c]) * Double(k[c]) }
          scores.append(cap * tanh(score * factor / cap))
          rows.append(segment.values + j * layout.valueWidth + kv * dv)
        }
      }
      let largest = scores.max() ?? 0
      var sums = [Double](repeating: 0, count: dv), total = 0.0
      for (score, v) in zip(scores, rows) {
        let weight = exp(score - largest)
        total += weight
        for c in 0..<dv { sums[c] += weight * Double(v[c]) }
      }
      let o = output + t * layout.outputWidth + h * dv
      for c in 0..<dv { o[c] = total > 0 ? Float(sums[c] / total) : 0 }
    }
  }
}
