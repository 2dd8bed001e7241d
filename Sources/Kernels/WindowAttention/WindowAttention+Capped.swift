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

  /// The gradients of `applyCapped` for the gradient dO of its output, within `segments` independent
  /// sequences: in plain Swift, sums in float64.
  ///
  /// With s = cap · tanh(c q kᵀ / cap), c = keyDimension^-1/2, P = softmax(s) and dP = dO vᵀ:
  /// dS = P · (dP - rowsum(P · dP)) · (1 - (s / cap)²), and dq, dk and dv as in `backward`, whose
  /// parameters these are. A task owns a key/value head of a segment.
  static func backwardCapped(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    outputGradient: UnsafePointer<Float>, segments: Int, tokens: Int, layout: HeadLayout,
    window: Int, sinks: Int, cap: Double, queryGradient: UnsafeMutablePointer<Float>,
    keyGradient: UnsafeMutablePointer<Float>, valueGradient: UnsafeMutablePointer<Float>
  ) {
    guard segments > 0, tokens > 0 else { return }
    let dk = layout.keyDimension, dv = layout.valueDimension
    let factor = 1 / Double(dk).squareRoot()
    Parallel.forEach(segments * layout.kvHeads, if: tokens > 1) { index in
      let start = index / layout.kvHeads * tokens, kv = index % layout.kvHeads
      let text = KeyValueSegment.text(
        keys: keys + start * layout.keyWidth, values: values + start * layout.valueWidth,
        tokens: tokens, sinks: sinks, layout: layout)
      var keySums = [Double](repeating: 0, count: tokens * dk)
      var valueSums = [Double](repeating: 0, count: tokens * dv)
      for t in 0..<tokens {
        let rows = text.flatMap { segment in
          segment.visible(from: t, window: window).map { segment.firstPosition + $0 }
        }
        for h in kv * layout.groupSize..<(kv + 1) * layout.groupSize {
          let q = queries + (start + t) * layout.queryWidth + h * dk
          let dO = outputGradient + (start + t) * layout.outputWidth + h * dv
          let scores = rows.map { row in
            let k = keys + (start + row) * layout.keyWidth + kv * dk
            return cap * tanh(factor * dot(q, k, dk) / cap)
          }
          let largest = scores.max() ?? 0
          let weights = scores.map { exp($0 - largest) }, total = weights.reduce(0, +)
          let slopes = rows.map { row in
            dot(dO, values + (start + row) * layout.valueWidth + kv * dv, dv)
          }
          let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 } / total
          var querySums = [Double](repeating: 0, count: dk)
          for (place, row) in rows.enumerated() {
            let p = weights[place] / total, share = scores[place] / cap
            let dS = p * (slopes[place] - mean) * (1 - share * share) * factor
            let k = keys + (start + row) * layout.keyWidth + kv * dk
            for c in 0..<dk {
              querySums[c] += dS * Double(k[c])
              keySums[row * dk + c] += dS * Double(q[c])
            }
            for c in 0..<dv { valueSums[row * dv + c] += p * Double(dO[c]) }
          }
          let dq = queryGradient + (start + t) * layout.queryWidth + h * dk
          for c in 0..<dk { dq[c] = Float(querySums[c]) }
        }
      }
      for t in 0..<tokens {
        let key = keyGradient + (start + t) * layout.keyWidth + kv * dk
        let value = valueGradient + (start + t) * layout.valueWidth + kv * dv
        for c in 0..<dk { key[c] = Float(keySums[t * dk + c]) }
        for c in 0..<dv { value[c] = Float(valueSums[t * dv + c]) }
      }
    }
  }
}
