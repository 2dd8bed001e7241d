import Foundation

extension WindowAttention {
  /// The specification of `apply`: all scores of a query, then softmax, in float64.
  static func reference(
    queries: UnsafePointer<Float>, tokens: Int, firstPosition: Int, layout: HeadLayout,
    segments: [KeyValueSegment], window: Int, output: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension
    for t in 0..<tokens {
      for h in 0..<layout.heads {
        let q = queries + t * layout.queryWidth + h * dk, kv = h / layout.groupSize
        var scores: [Double] = [], rows: [UnsafePointer<Float>] = []
        for segment in segments {
          for j in segment.visible(from: firstPosition + t, window: window) {
            let k = segment.keys + j * layout.keyWidth + kv * dk
            var score = 0.0
            for c in 0..<dk { score += Double(q[c]) * Double(k[c]) }
            scores.append(score / Double(dk).squareRoot())
            rows.append(segment.values + j * layout.valueWidth + kv * dv)
          }
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        let o = output + t * layout.outputWidth + h * dv
        for c in 0..<dv {
          var value = 0.0
          for (weight, v) in zip(weights, rows) { value += weight * Double(v[c]) }
          o[c] = rows.isEmpty ? 0 : Float(value / sum)
        }
      }
    }
  }
}
