import Foundation

extension GatedLinearAttention {
  /// The specification: the recurrence, token by token, state and sums in float64.
  static func reference(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, tokens: Int, layout: HeadLayout,
    state: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension
    let scale = 1 / Double(dk).squareRoot()
    for kv in 0..<layout.kvHeads {
      let stored = state + kv * dk * dv
      var s = (0..<dk * dv).map { Double(stored[$0]) }
      for t in 0..<tokens {
        let k = keys + t * layout.keyWidth + kv * dk
        let v = values + t * layout.valueWidth + kv * dv
        let g = logDecay + t * layout.keyWidth + kv * dk
        for i in 0..<dk {
          let decay = exp(Double(g[i]))
          for j in 0..<dv { s[i * dv + j] = s[i * dv + j] * decay + Double(k[i]) * Double(v[j]) }
        }
        for h in kv * layout.groupSize..<(kv + 1) * layout.groupSize {
          let q = queries + t * layout.queryWidth + h * dk
          let o = output + t * layout.outputWidth + h * dv
          for j in 0..<dv {
            var sum = 0.0
            for i in 0..<dk { sum += Double(q[i]) * s[i * dv + j] }
            o[j] = Float(sum * scale)
          }
        }
      }
      for i in 0..<dk * dv { stored[i] = Float(s[i]) }
    }
  }
}
