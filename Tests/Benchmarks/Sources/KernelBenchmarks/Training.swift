import Foundation

@testable import Kernels

/// Attention over whole segments, forward and backward: 4 and 10 operations per channel of each
/// visible pair of query and key, whatever is computed beyond them.
@MainActor
func benchmarkAttentionTraining() {
  print("\nAttention for training (GFLOP/s of one layer)")
  for (layout, segments, tokens, window) in [
    (layouts[0], 4, 1024, Int?.none), (layouts[0], 4, 1024, 256), (layouts[1], 1, 1024, nil),
  ] {
    var values = Values()
    let rows = segments * tokens, first = tokens * layout.queryWidth
    let q = values.next(rows * layout.queryWidth), k = values.next(rows * layout.keyWidth)
    let v = values.next(rows * layout.valueWidth), dO = values.next(rows * layout.outputWidth)
    var output = [Float](repeating: .nan, count: dO.count)
    var dq = output, dk = [Float](repeating: .nan, count: k.count), dv = dk
    let visible = (1...tokens).reduce(0) { $0 + min($1, window ?? tokens) }
    let work = Double(visible * segments * layout.queryWidth) * 1e-9
    // One segment is enough for the reference.
    var expected = [Float](repeating: .nan, count: first), expectedK = dk, expectedV = dv
    WindowAttention.backwardReference(
      queries: q, keys: k, values: v, outputGradient: dO, tokens: tokens, layout: layout,
      window: window, queryGradient: &expected, keyGradient: &expectedK, valueGradient: &expectedV)
    for threads in [1, 2] {
      Parallel.threadCount = threads
      let forward = { (output: UnsafeMutablePointer<Float>) in
        WindowAttention.applySegments(
          queries: q, keys: k, values: v, segments: segments, tokens: tokens, layout: layout,
          window: window, output: output)
      }
      let backward = { (output: UnsafePointer<Float>, dq: UnsafeMutablePointer<Float>) in
        WindowAttention.backward(
          queries: q, keys: k, values: v, output: output, outputGradient: dO, segments: segments,
          tokens: tokens, layout: layout, window: window, queryGradient: dq, keyGradient: &dk,
          valueGradient: &dv)
      }
      forward(&output)
      backward(output, &dq)
      let error = relativeError(Array(dq[..<first]), expected)
      let name =
        "\(layout.heads)/\(layout.kvHeads) d\(layout.keyDimension) \(segments) of \(tokens), "
        + "window \(window.map(String.init) ?? "none"), \(threads) threads"
      report(
        "forward " + name, work: 4 * work, unit: "GFLOP/s", error: error, tolerance: 1e-5
      ) { forward(&output) }
      report(
        "backward " + name, work: 10 * work, unit: "GFLOP/s", error: error, tolerance: 1e-5
      ) { backward(output, &dq) }
    }
  }
}
