import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// Fast decoders and casts against their references, to the last bit.
  @Suite struct DecodingTests {
    static let types: [ScalarType] = ScalarType.allCases.filter(RowDecoder.supports)

    @Test(arguments: types, [RowOrder.stored, .interleavedRotary(headDim: 6)])
    func rows(type: ScalarType, order: RowOrder) {
      let columns = type.isQuantised ? 2 * type.blockElements : 37
      let view = randomTensor(type, rows: 18, columns: columns, rowOrder: order, seed: 1)
      forEachInstructionSet { set in
        for range in [0..<18, 3..<4, 1..<17, 5..<5] {
          var expected = poisoned(range.count * columns + 1), decoded = expected
          RowDecoder.reference(view, rows: range, into: &expected)
          RowDecoder.decode(view, rows: range, into: &decoded)
          #expect(decoded.map(\.bitPattern) == expected.map(\.bitPattern), "\(set) \(range)")
        }
      }
    }

    @Test(arguments: types)
    func transcoding(type: ScalarType) {
      let columns = type.isQuantised ? 2 * type.blockElements : 37, rows = 18
      for order in [RowOrder.stored, .interleavedRotary(headDim: 6)] {
        let view = randomTensor(type, rows: rows, columns: columns, rowOrder: order, seed: 20)
        for target in [type, .bfloat16, .float16, .float32, .float64] {
          let range = 1..<17
          let size = target.byteCount(elements: columns) ?? 0
          var bytes = [UInt8](repeating: 0xaa, count: range.count * size + 1)
          RowTranscoder.transcode(view, rows: range, as: target, into: &bytes)
          var expected: [UInt8] = []
          for row in range {
            if target == type {
              expected += view.row(row)
            } else {
              var values = poisoned(columns)
              RowDecoder.reference(view, rows: row..<row + 1, into: &values)
              var encoded = [UInt8](repeating: 0, count: size)
              FloatCast.encode(values, count: columns, as: target, into: &encoded)
              expected += encoded
            }
          }
          #expect(bytes == expected + [0xaa], "\(target) \(order)")
        }
      }
    }

    @Test func everyHalfPattern() {
      let bytes = (0...UInt16.max).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
      let native = (0...UInt16.max).map { Float(Float16(bitPattern: $0)).bitPattern }
      for (type, expected) in [
        (ScalarType.float16, native), (.bfloat16, (0...UInt16.max).map { UInt32($0) << 16 }),
      ] {
        let view = unalignedView(bytes, type: type, shape: [1, 65536])
        forEachInstructionSet { set in
          var decoded = poisoned(65536)
          RowDecoder.decode(view, rows: 0..<1, into: &decoded)
          #expect(decoded.map(\.bitPattern) == expected, "\(set)")
          // And back: every pattern survives, signalling NaNs made quiet.
          var encoded = [UInt16](repeating: 0, count: 65536)
          FloatCast.encode(decoded, count: 65536, as: type, into: &encoded)
          let quiet: UInt16 = type == .float16 ? 0x200 : 0x40
          for (pattern, result) in zip(0...UInt16.max, encoded) {
            let isNaN = decoded[Int(pattern)].isNaN
            if result != (isNaN ? pattern | quiet : pattern) {
              Issue.record("\(type) \(pattern) became \(result) on \(set)")
              break
            }
          }
        }
      }
    }

    @Test func castsOfRandomPatterns() {
      var random = Random(2)
      var values = (0..<20011).map { _ in Float(bitPattern: random.next(upperBound: .max)) }
      values += [
        .infinity, -.infinity, .nan, .signalingNaN, 0, -0, 65504, 65519.9, 65520,
        .leastNonzeroMagnitude,
      ]
      // Around the smallest halves, where ties are.
      values += (0..<4096).map { Float(bitPattern: 0x3280_0000 + $0 << 13) }
      let brain = values.map(FloatCast.bfloat16), half = values.map(FloatCast.float16)
      for value in values where !value.isNaN {
        #expect(FloatCast.float16(value) == Float16(value).bitPattern)
      }
      forEachInstructionSet { set in
        // A destination at an odd address, and a guard element after the last.
        var bytes = [UInt8](repeating: 0xaa, count: values.count * 2 + 2)
        for (type, expected) in [(ScalarType.bfloat16, brain), (.float16, half)] {
          let found = bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return [UInt16]() }
            FloatCast.encode(values, count: values.count, as: type, into: base + 1)
            return values.indices.map {
              bytes.loadUnaligned(fromByteOffset: 1 + 2 * $0, as: UInt16.self)
            }
          }
          #expect(found == expected, "\(type) \(set)")
          #expect(bytes.first == 0xaa && bytes.last == 0xaa)
        }
      }
    }
  }
}
