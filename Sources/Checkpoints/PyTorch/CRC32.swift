/// CRC-32 as zip archives use it (ISO 3309: polynomial 0xEDB88320, reflected), eight bytes at a time.
package struct CRC32 {
  /// 8 tables of 256: at k · 256 + b the checksum of byte b followed by k zero bytes.
  private static let table: [UInt32] = {
    var table = [UInt32](repeating: 0, count: 8 << 8)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
      table[byte] = value
    }
    for index in 256..<table.count {
      let value = table[index - 256]
      table[index] = value >> 8 ^ table[Int(value & 0xff)]
    }
    return table
  }()

  private var crc = ~UInt32(0)

  /// A checksum of no bytes yet.
  package init() {}

  /// The checksum of all bytes so far.
  package var value: UInt32 { ~crc }

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var sum = CRC32()
    sum.update(bytes)
    return sum.value
  }

  /// Adds `bytes` after all earlier ones.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    crc = CRC32.table.withUnsafeBufferPointer { table in
      var crc = crc, index = 0
      while index + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        let low = UInt32(truncatingIfNeeded: word) ^ crc
        let high = UInt32(truncatingIfNeeded: word >> 32)
        crc =
          table[7 << 8 | Int(low & 0xff)] ^ table[6 << 8 | Int(low >> 8 & 0xff)]
          ^ table[5 << 8 | Int(low >> 16 & 0xff)] ^ table[4 << 8 | Int(low >> 24)]
          ^ table[3 << 8 | Int(high & 0xff)] ^ table[2 << 8 | Int(high >> 8 & 0xff)]
          ^ table[1 << 8 | Int(high >> 16 & 0xff)] ^ table[Int(high >> 24)]
        index += 8
      }
      while index < bytes.count {
        crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[index])) & 0xff)]
        index += 1
      }
      return crc
    }
  }
}
