import Foundation

extension WindowAttention {
  /// The specification of `backward`: all probabilities of a query, then their gradients, in
  /// float64.
  static func backwardReference(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    outputGradient: UnsafePointer<Float>, segments: Int = 1, tokens: Int, layout: HeadLayout,
    window: Int? = nil, sinks: Int = 0, queryGradient: UnsafeMutablePointer<Float>,
    keyGradient: UnsafeMutablePointer<Float>, valueGradient: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension, total = segments * tokens
    let scale = 1 / Double(dk).squareRoot()
    var keySums = [Double](repeating: 0, count: total * layout.keyWidth)
    var valueSums = [Double](repeating: 0, count: total * layout.valueWidth)
    for t in 0..<total {
      let start = t / tokens * tokens, text = start + sinks
      // The sinks, and for others the tokens inside the window.
      let visible =
        Array(start..<text)
        + (t < text ? [] : Array(max(text, t - min(window ?? tokens, tokens) + 1)...t))
      for h in 0..<layout.heads {
        let q = queries + t * layout.queryWidth + h * dk, kv = h / layout.groupSize
        let dO = outputGradient + t * layout.outputWidth + h * dv
        let scores = visible.map { j in
          scale * dot(q, keys + j * layout.keyWidth + kv * dk, dk)
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        let slopes = visible.map { j in dot(dO, values + j * layout.valueWidth + kv * dv, dv) }
        let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 } / sum
        var querySums = [Double](repeating: 0, count: dk)
        for (index, j) in visible.enumerated() {
          let p = weights[index] / sum, dS = p * (slopes[index] - mean) * scale
          let key = j * layout.keyWidth + kv * dk, value = j * layout.valueWidth + kv * dv
          for c in 0..<dk {
            querySums[c] += dS * Double(keys[key + c])
            keySums[key + c] += dS * Double(q[c])
          }
          for c in 0..<dv { valueSums[value + c] += p * Double(dO[c]) }
        }
        for c in 0..<dk { queryGradient[t * layout.queryWidth + h * dk + c] = Float(querySums[c]) }
      }
    }
    for (i, sum) in keySums.enumerated() { keyGradient[i] = Float(sum) }
    for (i, sum) in valueSums.enumerated() { valueGradient[i] = Float(sum) }
  }

  static func dot(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int
  ) -> Double {
    (0..<count).reduce(0) { $0 + Double(a[$1]) * Double(b[$1]) }
  }
}
