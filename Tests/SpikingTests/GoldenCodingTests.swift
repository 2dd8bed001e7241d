import Foundation
import Spiking
import TestSupport
import Testing

/// Codings against a PyTorch implementation, Tests/Reference/spikes/make_golden.py.
struct GoldenCodingTests {
  private struct Reader {
    let bytes: [UInt8]
    var offset = 0

    mutating func take<Number: BitwiseCopyable>(_ count: Int, _: Number.Type) -> [Number] {
      let size = MemoryLayout<Number>.size
      defer { offset += count * size }
      return bytes.withUnsafeBytes { raw in
        (0..<count).map { raw.loadUnaligned(fromByteOffset: offset + $0 * size, as: Number.self) }
      }
    }
  }

  @Test func `trains equal PyTorch's, spike by spike`() throws {
    let groups: [(channels: Int, codings: [SpikeCoding])] = [
      (128, [.binary, .bitwiseUnsigned]),
      (128, [.ternary, .bitwise, .twosComplement, .signedDigit]),
      (128, [.bitwise, .twosComplement, .signedDigit]),
      (3, [.binary, .ternary, .bitwise, .twosComplement, .signedDigit]),
    ]
    var reader = Reader(bytes: try Files.bytes(Repository.fixture("spikes/codings.bin")))
    for group in groups {
      let counts = reader.take(group.channels, Int32.self)
      for coding in group.codings {
        let steps = Int(reader.take(1, Int64.self)[0])
        let expected = reader.take(steps * group.channels, Int8.self)
        let train = try SpikeTrain(counts, by: coding)
        #expect(train.steps == steps, "\(coding)")
        #expect(train.spikes == expected, "\(coding)")
        let golden = SpikeTrain(
          coding: coding, steps: steps, channels: group.channels, spikes: expected)
        #expect(golden.counts == counts, "\(coding)")
      }
    }
    #expect(reader.offset == reader.bytes.count)
  }
}
