/// A Unicode scalar read from UTF-8, and the number of bytes it took.
struct ScalarRead {
  var scalar: Unicode.Scalar
  var length: Int
}

extension [UInt8] {
  /// The scalar that starts at `position` of valid UTF-8; nil at `end`.
  @inline(__always)
  func scalar(at position: Int, end: Int) -> ScalarRead? {
    guard position < end else { return nil }
    let first = UInt32(self[position])
    if first < 0x80 {
      return ScalarRead(scalar: Unicode.Scalar(UInt8(first)), length: 1)
    }
    let whole = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    let length = Swift.min(whole, end - position)
    var value = first & (0x7f >> UInt32(whole))
    for index in position + 1..<position + length {
      value = value << 6 | UInt32(self[index] & 0x3f)
    }
    return ScalarRead(scalar: Unicode.Scalar(value) ?? "\u{fffd}", length: length)
  }

  /// The start of the scalar that ends at `position`; `position` itself at `start`.
  func scalarStart(before position: Int, start: Int) -> Int {
    var index = position
    while index > start {
      index -= 1
      if self[index] & 0xc0 != 0x80 { break }
    }
    return index
  }

  /// Calls `body` with each scalar of a range of valid UTF-8 and its bytes' range.
  @inline(__always)
  func forEachScalar(in range: Range<Int>, _ body: (Unicode.Scalar, Range<Int>) -> Void) {
    var position = range.lowerBound
    while let read = scalar(at: position, end: range.upperBound) {
      body(read.scalar, position..<position + read.length)
      position += read.length
    }
  }

  /// Appends a scalar's UTF-8 form.
  mutating func append(_ scalar: Unicode.Scalar) {
    append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
  }

  /// Whether the bytes from `position` on start with `prefix`.
  @inline(__always)
  func matches(_ prefix: ArraySlice<UInt8>, at position: Int, end: Int) -> Bool {
    guard end - position >= prefix.count else { return false }
    var index = position
    for byte in prefix {
      if self[index] != byte { return false }
      index += 1
    }
    return true
  }

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
