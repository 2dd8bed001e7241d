import Foundation
import Testing

@testable import Kernels

extension KernelTests {
  /// Thresholds and counts against the specification and PyTorch, on every instruction set.
  @Suite struct SpikeCountsTests {
    private struct Spiked {
      var counts: [Int32]
      var threshold: Float
      var values: [Float]
      var outside: Int
    }

    private func spiked(_ x: [Float], k: Float) -> Spiked {
      var counts = [Int32](repeating: -77, count: x.count), threshold = Float.nan
      let outside = SpikeCounts.apply(
        x, rows: 1, columns: x.count, k: k, into: &counts, thresholds: &threshold)
      var values = poisoned(x.count)
      SpikeCounts.values(x, rows: 1, columns: x.count, k: k, into: &values)
      return Spiked(counts: counts, threshold: threshold, values: values, outside: outside)
    }

    @Test(arguments: [1, 2, 15, 16, 17, 31, 33, 100, 576, 1001])
    func `equal the specification on odd sizes`(_ count: Int) {
      var random = Random(UInt64(count))
      for k: Float in [0.25, 1, 3, 3.3125, 100] {
        let x = random.normals(count).map { $0 * $0 * $0 * 5 }
        let threshold = SpikeCounts.referenceThreshold(x, k: k)
        forEachInstructionSet { set in
          let got = spiked(x, k: k)
          #expect(got.threshold == threshold, "\(set)")
          #expect(got.counts == SpikeCounts.reference(x, threshold: threshold), "\(set)")
          #expect(got.values == SpikeCounts.referenceValues(x, threshold: threshold), "\(set)")
          #expect(got.outside == 0)
        }
      }
    }

    @Test func `equal PyTorch's`() throws {
      let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Fixtures/spikes/counts.bin")
      let data = try Data(contentsOf: url)
      let columns = 129, row = 4 * (3 * columns + 2)
      #expect(data.count == 28 * row)
      for start in stride(from: 0, to: data.count, by: row) {
        func numbers<Number: BitwiseCopyable>(_ first: Int, _ count: Int, _: Number.Type)
          -> [Number]
        {
          data.withUnsafeBytes { bytes in
            (0..<count).map {
              bytes.loadUnaligned(fromByteOffset: start + 4 * (first + $0), as: Number.self)
            }
          }
        }
        let x = numbers(0, columns, Float.self), k = numbers(columns, 1, Float.self)[0]
        forEachInstructionSet { set in
          let got = spiked(x, k: k)
          #expect(got.threshold == numbers(columns + 1, 1, Float.self)[0], "\(set)")
          #expect(got.counts == numbers(columns + 2, columns, Int32.self), "\(set)")
          #expect(got.values == numbers(2 * columns + 2, columns, Float.self), "\(set)")
        }
      }
    }

    @Test func `ties go to even`() {
      // The mean of magnitudes is 3: V_th is 1.
      let x: [Float] = [0.5, 1.5, 2.5, 3.5, -4.5, -5.5]
      #expect(spiked(x, k: 3).counts == [0, 2, 2, 4, -4, -6])
    }

    @Test func `counts are never clamped`() {
      var x = [Float](repeating: 0, count: 20_000)
      x[17] = 3
      let got = spiked(x, k: 3)
      #expect(got.counts[17] == 60_000)
      #expect(got.counts.count { $0 != 0 } == 1)
    }

    @Test func `thresholds stay within their limits`() {
      let zeros = spiked([0, -0.0, 0], k: 3)
      #expect(zeros.threshold == 1e-5)
      #expect(zeros.counts == [0, 0, 0])
      #expect(spiked([1e6, -1e6], k: 3).threshold == 1e4)
      #expect(spiked([1e6, -1e6], k: 3).counts == [100, -100])
      #expect(spiked([1e-6, 4e-6, -6e-6], k: 3).counts == [0, 0, -1])
    }

    @Test func `what has no count is told and stays visible`() {
      forEachInstructionSet { set in
        let infinite = spiked([1, .infinity, -.infinity, 25_000], k: 3)
        #expect(infinite.threshold == 1e4)
        #expect(infinite.counts == [0, .max, .min, 2], "\(set)")
        #expect(infinite.outside == 2)
        #expect(infinite.values == [0, .infinity, -.infinity, 20_000], "\(set)")
        let beyond = spiked([3e38, -3e38, 2.1474835e13], k: 3)
        #expect(beyond.counts == [.max, .min, 2_147_483_392], "\(set)")
        #expect(beyond.outside == 2)
        let missing = spiked([1, .nan, 3], k: 3)
        #expect(missing.threshold.isNaN)
        #expect(missing.counts == [.min, .min, .min], "\(set)")
        #expect(missing.outside == 3)
        #expect(missing.values.allSatisfy { $0.isNaN })
      }
    }

    @Test func `rows are independent`() {
      var random = Random(3)
      let x = random.normals(7 * 33)
      var values = poisoned(x.count)
      SpikeCounts.values(x, rows: 7, columns: 33, k: 2.5, into: &values)
      for row in 0..<7 {
        let part = Array(x[row * 33..<(row + 1) * 33])
        #expect(Array(values[row * 33..<(row + 1) * 33]) == spiked(part, k: 2.5).values)
      }
    }
  }
}
