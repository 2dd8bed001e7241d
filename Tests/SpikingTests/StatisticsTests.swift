import Foundation
import Foundations
import Spiking
import Testing

@testable import Kernels

/// What is counted, on counts whose figures are known.
struct StatisticsTests {
  private func statistics(_ counts: [Int32]) -> SpikeStatistics {
    var statistics = SpikeStatistics()
    counts.withUnsafeBufferPointer { statistics.add($0, rows: 1) }
    return statistics
  }

  @Test func `figures of a few counts`() {
    let some = statistics([0, 0, 1, -3, 7, -8, 300, -300])
    #expect(some.channels == 8)
    #expect(some.silentShare == 0.25)
    #expect(some.share(upTo: 7) == 5.0 / 8)
    #expect(some.maximum == 300)
    #expect(some.meanMagnitude == 619.0 / 8)
    // 0 + 0 + 1 + 2 + 3 + 1 + 4 + 4; 300 = 100101100.
    #expect(some.spikesPerChannel(.bitwise) == 15.0 / 8)
    #expect(some.stepsPerChannel(.bitwise) == 28.0 / 8)
    #expect(some.spikesPerChannel(.ternary) == 619.0 / 8)
    // 1, -3 = 4-1, 7 = 8-1, -8, 300 = 256+64-16-4.
    #expect(some.spikesPerChannel(.signedDigit) == 14.0 / 8)
    // 001, 101, 0111, 11000, 0100101100, 1011010100.
    #expect(some.spikesPerChannel(.twosComplement) == 17.0 / 8)
    #expect(some.sparsity(.threeSteps) == 1 - 6.0 / 15)
    #expect(some.sparsity(.ownLength) == 1 - 15.0 / 37)
    #expect(some.sparsity(.fixed) == 1 - 15.0 / 72)
  }

  @Test func `nothing counted divides nothing by zero`() {
    let nothing = SpikeStatistics()
    #expect(nothing.silentShare == 0)
    #expect(nothing.spikesPerChannel(.bitwise) == 0)
    #expect(nothing.maximum == 0)
    for definition in Sparsity.allCases { #expect(nothing.sparsity(definition) == 1) }
  }

  @Test func `merged is counted together`() {
    var merged = statistics([1, 2, -900])
    merged.merge(statistics([0, -900, 4]))
    let together = statistics([1, 2, -900, 0, -900, 4])
    #expect(merged.occurrences.map(\.count) == together.occurrences.map(\.count))
    #expect(merged.occurrences.map(\.times) == together.occurrences.map(\.times))
    #expect(merged.rows == 2)
  }

  @Test func `generalised Gaussian activations give the known figures`() {
    // |x|^0.8 is gamma distributed with shape 1 / 0.8 = 1.25. Marsaglia and Tsang (2000) sample it.
    var generator = SplitMix64(seed: 11)
    func normal() -> Double {
      let radius = (-2 * log(1 - generator.unit())).squareRoot()
      return radius * cos(2 * .pi * generator.unit())
    }
    func gamma(_ shape: Double) -> Double {
      let d = shape - 1.0 / 3, c = 1 / (9 * d).squareRoot()
      while true {
        let x = normal(), v = pow(1 + c * x, 3)
        guard v > 0 else { continue }
        if log(1 - generator.unit()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
      }
    }
    let columns = 4096, rows = 64
    var statistics = SpikeStatistics()
    for _ in 0..<rows {
      let x = (0..<columns).map { _ -> Float in
        let magnitude = pow(gamma(1.25), 1.25)
        return Float(generator.unit() < 0.5 ? -magnitude : magnitude)
      }
      var counts = [Int32](repeating: 0, count: columns), threshold: Float = 0
      SpikeCounts.apply(
        x, rows: 1, columns: columns, k: 3, into: &counts, thresholds: &threshold)
      counts.withUnsafeBufferPointer { statistics.add($0, rows: 1) }
    }
    // 262,144 channels: a standard error of 0.0008 and 0.002.
    #expect(abs(statistics.silentShare - 0.1805) < 0.003)
    #expect(abs(statistics.spikesPerChannel(.bitwise) - 1.184) < 0.008)
  }
}
