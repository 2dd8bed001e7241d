import Foundation

extension GatedLinearAttention {
  /// The specification of `backward`: recurrences in float64 over all states, and the gradient of
  /// the decay from its definition, dg_t = exp(g_t) · sum over columns of S_{t-1} · R_t.
  static func backwardReference(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    logDecay: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>, segments: Int = 1,
    tokens: Int, layout: HeadLayout, initialState: UnsafePointer<Float>? = nil,
    queryGradient: UnsafeMutablePointer<Float>, keyGradient: UnsafeMutablePointer<Float>,
    valueGradient: UnsafeMutablePointer<Float>, logDecayGradient: UnsafeMutablePointer<Float>
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension, size = dk * dv
    let scale = 1 / Double(dk).squareRoot()
    for head in 0..<segments * layout.kvHeads {
      let first = head / layout.kvHeads * tokens, kv = head % layout.kvHeads
      let key = { (t: Int) in (first + t) * layout.keyWidth + kv * dk }
      let value = { (t: Int) in (first + t) * layout.valueWidth + kv * dv }
      // states[t] is the state before token t.
      var states = [[Double]](repeating: [Double](repeating: 0, count: size), count: tokens + 1)
      if let initialState {
        states[0] = (0..<size).map { Double(initialState[head * size + $0]) }
      }
      for t in 0..<tokens {
        for i in 0..<dk {
          let decay = exp(Double(logDecay[key(t) + i])), k = Double(keys[key(t) + i])
          for j in 0..<dv {
            states[t + 1][i * dv + j] =
              states[t][i * dv + j] * decay + k * Double(values[value(t) + j])
          }
        }
      }
      var gradient = [Double](repeating: 0, count: size)
      for t in (0..<tokens).reversed() {
        for h in kv * layout.groupSize..<(kv + 1) * layout.groupSize {
          let q = (first + t) * layout.queryWidth + h * dk
          let o = (first + t) * layout.outputWidth + h * dv
          for i in 0..<dk {
            var sum = 0.0
            for j in 0..<dv {
              let dO = Double(outputGradient[o + j]) * scale
              sum += states[t + 1][i * dv + j] * dO
              gradient[i * dv + j] += Double(queries[q + i]) * dO
            }
            queryGradient[q + i] = Float(sum)
          }
        }
        for j in 0..<dv {
          valueGradient[value(t) + j] = Float(
            (0..<dk).reduce(0) { $0 + Double(keys[key(t) + $1]) * gradient[$1 * dv + j] })
        }
        for i in 0..<dk {
          let decay = exp(Double(logDecay[key(t) + i]))
          var byKey = 0.0, byDecay = 0.0
          for j in 0..<dv {
            byKey += Double(values[value(t) + j]) * gradient[i * dv + j]
            gradient[i * dv + j] *= decay
            byDecay += states[t][i * dv + j] * gradient[i * dv + j]
          }
          keyGradient[key(t) + i] = Float(byKey)
          logDecayGradient[key(t) + i] = Float(byDecay)
        }
      }
    }
  }
}
