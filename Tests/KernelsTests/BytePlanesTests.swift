import Testing

@testable import Kernels

extension KernelTests {
  /// Byte planes against their specification, and back, on every instruction set.
  @Suite struct BytePlanesTests {
    @Test(arguments: [0, 1, 2, 15, 31, 32, 33, 63, 65, 127, 1000, 1001])
    func `equal the specification on odd sizes, and merge to the same bytes`(_ count: Int) {
      var random = Random(UInt64(count))
      for planes in BytePlanes.allCases {
        let size = count * planes.rawValue
        // One byte past an aligned address, as tensors in files may lie.
        let source = (0..<size + 1).map { _ in UInt8.random(in: 0...255, using: &random) }
        let expected = planes.reference(Array(source.dropFirst()))
        forEachInstructionSet { set in
          var split = [UInt8](repeating: 0xee, count: size + 1)
          var merged = [UInt8](repeating: 0xee, count: size + 1)
          source.withUnsafeBytes { source in
            split.withUnsafeMutableBytes { split in
              planes.split(
                UnsafeRawBufferPointer(rebasing: source[1...]),
                into: UnsafeMutableRawBufferPointer(rebasing: split[..<size]))
            }
          }
          split.withUnsafeBytes { split in
            merged.withUnsafeMutableBytes { merged in
              planes.merge(
                UnsafeRawBufferPointer(rebasing: split[..<size]),
                into: UnsafeMutableRawBufferPointer(rebasing: merged[1...]))
            }
          }
          #expect(split == expected + [0xee], "\(planes) \(set)")
          #expect(merged == [0xee] + source.dropFirst(), "\(planes) \(set)")
        }
      }
    }

    @Test func `the first plane of bfloat16 and float32 is the exponent`() {
      // Sign 1, exponent 124 … 130, the upper 7 bits of the mantissa 0x40.
      let exponents = (124...130).map { UInt8($0) }
      let patterns = exponents.map { 0x8040_0000 | UInt32($0) << 23 }
      let wide = patterns.flatMap { bits in (0..<4).map { UInt8(bits >> (8 * $0) & 255) } }
      let narrow = patterns.flatMap { bits in (2..<4).map { UInt8(bits >> (8 * $0) & 255) } }
      for (planes, bytes) in [(BytePlanes.two, narrow), (.four, wide)] {
        let split = planes.reference(bytes)
        #expect(Array(split.prefix(7)) == exponents)
        #expect(Array(split[7..<14]) == [UInt8](repeating: 0x81, count: 7))
      }
    }
  }
}
