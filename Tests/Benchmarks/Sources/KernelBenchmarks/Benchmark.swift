import Foundation

@testable import Kernels

/// Times `body`: at least five repetitions over at least half a second after one to warm up.
func time(_ body: () -> Void) -> (best: Double, median: Double) {
  body()
  let clock = ContinuousClock()
  var times: [Double] = []
  let start = clock.now
  while times.count < 5 || clock.now - start < .milliseconds(500) {
    let elapsed = clock.measure(body)
    times.append(
      Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds))
  }
  times.sort()
  return (times[0], times[times.count / 2])
}

/// Prints one line of the table: the rate at the best and at the median time.
///
/// No figure is printed when `error` exceeds `tolerance`; the failure is printed and remembered.
@MainActor
func report(
  _ name: String, work: Double, unit: String, error: Double, tolerance: Double,
  _ body: () -> Void
) {
  guard error <= tolerance else {
    print("\(name): WRONG, error \(error) (at most \(tolerance))")
    failed = true
    return
  }
  let (best, median) = time(body)
  let rate = { (seconds: Double) in String(format: "%9.1f", work / seconds) }
  let padded = name.padding(toLength: 56, withPad: " ", startingAt: 0)
  print(
    "\(padded) best \(rate(best)) median \(rate(median)) \(unit)",
    String(format: "(%.3f ms)", best * 1e3))
}

/// Whether a check failed.
@MainActor var failed = false

/// The largest difference relative to the largest expected value; infinity for NaN.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  var worst = 0.0, scale = 1e-30
  for (x, y) in zip(a, b) {
    if x.isNaN || y.isNaN { return .infinity }
    worst = max(worst, abs(Double(x) - Double(y)))
    scale = max(scale, abs(Double(y)))
  }
  return worst / scale
}

/// Deterministic values in -1...1.
struct Values {
  private var state: UInt64 = 88_172_645_463_325_252

  mutating func next(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return (Float(state >> 40) / Float(1 << 23) - 1) * scale
    }
  }
}
