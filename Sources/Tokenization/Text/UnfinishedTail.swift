extension [UInt8] {
  /// How many bytes at the end begin a scalar that is not complete: 0 to 3.
  ///
  /// Only what more bytes can still make valid counts; other invalid bytes do not.
  var unfinishedTail: Int {
    for length in 1...3 where length <= count {
      let first = self[count - length]
      if first & 0xc0 == 0x80 { continue }
      let needed = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1
      guard needed > length else { return 0 }
      if length > 1, !Self.secondBytes(after: first).contains(self[count - length + 1]) {
        return 0
      }
      return length
    }
    return 0
  }

  /// The second bytes that rule out overlong forms, surrogates and scalars past U+10FFFF.
  private static func secondBytes(after first: UInt8) -> ClosedRange<UInt8> {
    switch first {
    case 0xe0: 0xa0...0xbf
    case 0xed: 0x80...0x9f
    case 0xf0: 0x90...0xbf
    case 0xf4: 0x80...0x8f
    default: 0x80...0xbf
    }
  }
}
