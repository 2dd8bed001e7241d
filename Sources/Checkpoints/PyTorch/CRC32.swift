import CLibDeflate

/// CRC-32 as zip archives use it (ISO 3309: polynomial 0xEDB88320, reflected).
package struct CRC32 {
  /// The checksum of all bytes so far.
  package private(set) var value: UInt32 = 0

  /// A checksum of no bytes yet.
  package init() {}

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var sum = CRC32()
    sum.update(bytes)
    return sum.value
  }

  /// Adds `bytes` after all earlier ones.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    // Without an address libdeflate starts anew.
    guard let start = bytes.baseAddress else { return }
    value = libdeflate_crc32(value, start, bytes.count)
  }
}
