import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// What is not finite is found, wherever it lies and however it is stored.
  @Suite struct FiniteTests {
    @Test(arguments: [0, 1, 7, 33, 2047, 2048, 2049, 300_001])
    func `the first is found on every instruction set`(count: Int) {
      var random = Random(3)
      let values = random.normals(count)
      forEachInstructionSet { set in
        #expect(Vector.firstNotFinite(values, count: count) == nil, "\(set)")
        for place in Set([0, 1, count / 3, count - 1]) where (0..<count).contains(place) {
          for bad in [Float.nan, .infinity, -.infinity, .signalingNaN] {
            var x = values
            x[place] = bad
            x[count - 1] = place == 0 ? bad : x[count - 1]
            #expect(Vector.firstNotFinite(x, count: count) == place, "\(set)")
          }
        }
      }
    }

    @Test func `a limit counts as not finite`() {
      let x: [Float] = [1, -2, 0, .greatestFiniteMagnitude, 4, -5]
      forEachInstructionSet { _ in
        for limit in [Float(4), 4.0001, 2, 1, .infinity] {
          #expect(
            Vector.firstNotFinite(x, count: 6, below: limit)
              == Vector.referenceFirstNotFinite(x, count: 6, below: limit))
        }
      }
    }

    @Test(arguments: [ScalarType.float32, .bfloat16, .float16, .float64])
    func `stored floats that lie at odd bytes`(_ type: ScalarType) throws {
      var values = [Float](repeating: 1.5, count: 12)
      values[7] = -.infinity
      let storage = MemoryStorage(count: 1 + 12 * type.blockBytes)
      let bytes = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[1...])
      FloatCast.encode(values, count: 12, as: type, into: try #require(bytes.baseAddress))
      let stored = UnsafeRawBufferPointer(rebasing: bytes[..<(12 * type.blockBytes)])
      #expect(NotFinite.firstIndex(in: stored, as: type) == 7)
      let view = TensorView(bytes: stored, type: type, shape: [3, 4], storage: storage)
      let found = try #require(NotFinite(in: view))
      #expect((found.row, found.column, found.value) == (1, 3, -.infinity))
      #expect(found.index == "[1, 3]")
      #expect(NotFinite(in: view.slice(rows: 2..<3)) == nil)
    }

    @Test func `a block whose scale is infinite`() throws {
      let storage = MemoryStorage(count: 2 * 34)
      for block in 0..<2 {
        // Codes of 1; the second scale is infinity.
        storage.bytes.storeBytes(
          of: block == 0 ? 0x3c00 : 0x7c00, toByteOffset: 34 * block, as: UInt16.self)
        for code in 2..<34 { storage.bytes[34 * block + code] = 1 }
      }
      let view = TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<68]), type: .q8_0, shape: [2, 32],
        storage: storage)
      #expect(NotFinite(in: view)?.index == "[1, 0]")
    }
  }
}
