import Foundation

@testable import Kernels

/// Layouts of SmolLM2-135M, Qwen2.5-7B and a model without grouped heads.
let layouts = [
  HeadLayout(heads: 9, kvHeads: 3, dimension: 64),
  HeadLayout(heads: 28, kvHeads: 4, dimension: 128),
  HeadLayout(heads: 8, kvHeads: 8, dimension: 128),
]

typealias MixerFunction = (
  UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int,
  HeadLayout, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>
) -> Void

@MainActor
func benchmarkGatedLinearAttention() {
  print("\nGated linear attention (tokens/s of one layer)")
  let forms: [(String, MixerFunction)] = [("recurrence", GatedLinearAttention.apply)]
  for layout in layouts {
    for tokens in [1, 512] {
      var values = Values()
      let q = values.next(tokens * layout.queryWidth).map { max($0, 0) }
      let k = values.next(tokens * layout.keyWidth).map { max($0, 0) }
      let v = values.next(tokens * layout.valueWidth)
      let g = values.next(tokens * layout.keyWidth).map { -abs($0) * 0.1 }
      let initial = values.next(GatedLinearAttention.stateCount(layout))
      var state = initial, expected = [Float](repeating: .nan, count: tokens * layout.outputWidth)
      GatedLinearAttention.reference(
        queries: q, keys: k, values: v, logDecay: g, tokens: tokens, layout: layout, state: &state,
        output: &expected)
      for (name, form) in forms {
        for threads in tokens == 1 ? [1] : [1, 2] {
          Parallel.threadCount = threads
          var state = initial, output = [Float](repeating: .nan, count: expected.count)
          form(q, k, v, g, tokens, layout, &state, &output)
          report(
            "\(name) \(layout.heads)/\(layout.kvHeads) d\(layout.keyDimension) T\(tokens), "
              + "\(threads) threads", work: Double(tokens), unit: "tokens/s",
            error: relativeError(output, expected), tolerance: 1e-5
          ) { form(q, k, v, g, tokens, layout, &state, &output) }
        }
      }
    }
  }
}

@MainActor
func benchmarkAttention() {
  print("\nWindow attention (tokens/s of one layer)")
  for layout in layouts.prefix(2) {
    for (tokens, old, window) in [
      (512, 0, 4096), (512, 4096, 4096), (1, 512, 4096), (1, 4096, 4096),
    ] {
      var values = Values()
      let total = old + tokens
      let q = values.next(tokens * layout.queryWidth)
      let k = values.next(total * layout.keyWidth), v = values.next(total * layout.valueWidth)
      k.withUnsafeBufferPointer { k in
        v.withUnsafeBufferPointer { v in
          guard let k = k.baseAddress, let v = v.baseAddress else { return }
          let segment = KeyValueSegment(keys: k, values: v, firstPosition: 0, count: total)
          var output = [Float](repeating: .nan, count: tokens * layout.outputWidth)
          var expected = output
          // The last token alone is enough for the reference.
          WindowAttention.reference(
            queries: Array(q[((tokens - 1) * layout.queryWidth)...]), tokens: 1,
            firstPosition: total - 1, layout: layout, segments: [segment], window: window,
            output: &expected)
          for threads in [1, 2] {
            Parallel.threadCount = threads
            let run = { (output: UnsafeMutablePointer<Float>) in
              WindowAttention.apply(
                queries: q, tokens: tokens, firstPosition: old, layout: layout,
                segments: [segment], window: window, output: output)
            }
            run(&output)
            let last = Array(output[((tokens - 1) * layout.outputWidth)...])
            report(
              "\(layout.heads)/\(layout.kvHeads) d\(layout.keyDimension) T\(tokens) after \(old) "
                + "window \(window), \(threads) threads", work: Double(tokens), unit: "tokens/s",
              error: relativeError(last, Array(expected[..<layout.outputWidth])), tolerance: 1e-5
            ) { run(&output) }
          }
        }
      }
    }
  }
}

@MainActor
func benchmarkElementwise() {
  print("\nElementwise (G elements/s, 1 thread, in cache)")
  Parallel.threadCount = 1
  var values = Values()
  let count = 16384
  let x = values.next(count, scale: 8), y = values.next(count)
  var output = [Float](repeating: .nan, count: count), expected = output
  SwiGLU.reference(gate: x, up: y, count: count, into: &expected)
  SwiGLU.apply(gate: x, up: y, count: count, into: &output)
  report(
    "SwiGLU", work: Double(count) * 1e-9, unit: "G/s", error: relativeError(output, expected),
    tolerance: 1e-6
  ) { SwiGLU.apply(gate: x, up: y, count: count, into: &output) }
  RMSNorm.reference(x, rows: 16, count: 1024, weight: y, epsilon: 1e-5, into: &expected)
  RMSNorm.apply(x, rows: 16, count: 1024, weight: y, epsilon: 1e-5, into: &output)
  report(
    "RMSNorm of 1024", work: Double(count) * 1e-9, unit: "G/s",
    error: relativeError(output, expected), tolerance: 1e-6
  ) { RMSNorm.apply(x, rows: 16, count: 1024, weight: y, epsilon: 1e-5, into: &output) }
  let exact = Softmax.referenceLogSumExp(x, count: count)
  report(
    "logSumExp", work: Double(count) * 1e-9, unit: "G/s",
    error: abs(Softmax.logSumExp(x, count: count) - exact), tolerance: 1e-5
  ) { output[0] = Float(Softmax.logSumExp(x, count: count)) }
}

/// What handing a piece of work to a second thread costs, beyond the work.
@MainActor
func benchmarkThreads() {
  print("\nTwo equal pieces on two threads (µs; ideal = one piece)")
  let clock = ContinuousClock()
  for microseconds in [0, 20, 50, 100, 200, 500] {
    let piece = { (_: Int) in
      let end = clock.now + .microseconds(microseconds)
      while clock.now < end {}
    }
    Parallel.threadCount = 2
    let (best, median) = time { Parallel.forEach(2, piece) }
    print(
      "pieces of \(microseconds) µs: best", String(format: "%.1f", best * 1e6), "median",
      String(format: "%.1f", median * 1e6))
  }
}
