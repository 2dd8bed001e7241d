import Foundation
import Testing

@testable import Kernels

extension KernelTests {
  /// The largest channels of a row against the specification and PyTorch.
  @Suite struct WinnersTests {
    private func kept(_ x: [Float], rows: Int = 1, _ count: Int) -> [Float] {
      var output = poisoned(x.count)
      Winners.apply(x, rows: rows, columns: x.count / rows, count: count, into: &output)
      return output
    }

    @Test(arguments: [1, 2, 3, 16, 33, 129, 1001])
    func `equal the specification on odd sizes`(_ columns: Int) {
      var random = Random(UInt64(columns))
      let normal = random.normals(columns)
      let coarse = normal.map { ($0 * 2).rounded() }
      for count in Set([1, max(1, columns / 50), (columns + 1) / 2, columns]) {
        for x in [normal, coarse, normal.map { $0 * 2e-38 }] {
          #expect(kept(x, count) == Winners.reference(x, count: count), "\(count)")
        }
      }
    }

    @Test func `equal PyTorch's, and their mean is the threshold's`() throws {
      let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Fixtures/spikes/winners.bin")
      let data = try Data(contentsOf: url)
      let columns = 129, row = 4 * (3 * columns + 1)
      #expect(data.count == 28 * row)
      for start in stride(from: 0, to: data.count, by: row) {
        func floats(_ part: Int) -> [Float] {
          data.withUnsafeBytes { bytes in
            (0..<columns).map {
              bytes.loadUnaligned(
                fromByteOffset: start + 4 * (1 + part * columns + $0), as: Float.self)
            }
          }
        }
        let count = data.withUnsafeBytes {
          Int($0.loadUnaligned(fromByteOffset: start, as: Int32.self))
        }
        let x = floats(0), expected = floats(1)
        #expect(kept(x, count) == expected)
        #expect(Winners.reference(x, count: count) == expected)
        var values = poisoned(columns)
        SpikeCounts.values(
          expected, rows: 1, columns: columns, k: 3, winners: count, into: &values)
        #expect(values == floats(2))
      }
    }

    @Test func `of equal magnitudes the first stay`() {
      #expect(kept([1, -2, 2, -2, 2, 3], 3) == [0, -2, 2, 0, 0, 3])
      #expect(kept([0, -0.0, 0], 2) == [0, 0, 0])
    }

    @Test func `faults stay visible`() {
      let got = kept([1, .infinity, 5, .nan, -.infinity], 2)
      #expect(got[1] == .infinity && got[3].isNaN)
      #expect([got[0], got[2], got[4]] == [0, 0, 0])
    }

    @Test func `rows are independent and may be replaced`() {
      var random = Random(3)
      var x = random.normals(7 * 33)
      let expected = (0..<7).flatMap { row in
        Winners.reference(Array(x[row * 33..<(row + 1) * 33]), count: 5)
      }
      #expect(kept(x, rows: 7, 5) == expected)
      x.withUnsafeMutableBufferPointer { x in
        guard let x = x.baseAddress else { return }
        Winners.apply(x, rows: 7, columns: 33, count: 5, into: x)
      }
      #expect(x == expected)
    }
  }
}
