/// Reads little-endian numbers and text one after the other; nothing outside the bytes is touched.
struct ByteCursor {
  private let bytes: UnsafeRawBufferPointer
  let file: String
  private let format: String
  /// The next byte.
  private(set) var offset: Int

  init(_ bytes: UnsafeRawBufferPointer, at offset: Int, file: String, format: String) {
    self.bytes = bytes
    self.offset = offset
    self.file = file
    self.format = format
  }

  /// The error that `reason` is, here.
  func malformed(_ reason: String) -> CheckpointError {
    .malformed(file: file, format: format, offset: offset, reason: reason)
  }

  /// `value` as a position inside the bytes.
  func position(_ value: UInt64) throws(CheckpointError) -> Int {
    guard value <= UInt64(bytes.count) else {
      throw malformed("offset \(value) lies outside the file")
    }
    return Int(value)
  }

  /// The next `count` bytes.
  mutating func take(_ count: Int) throws(CheckpointError) -> UnsafeRawBufferPointer {
    guard offset >= 0, count >= 0, count <= bytes.count - offset else {
      throw malformed("it ends in the middle of a value")
    }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  mutating func skip(_ count: Int) throws(CheckpointError) { _ = try take(count) }

  mutating func u8() throws(CheckpointError) -> UInt8 { try take(1)[0] }

  mutating func u16() throws(CheckpointError) -> UInt16 { try number() }
  mutating func u32() throws(CheckpointError) -> UInt32 { try number() }
  mutating func u64() throws(CheckpointError) -> UInt64 { try number() }

  private mutating func number<Number: FixedWidthInteger>() throws(CheckpointError) -> Number {
    Number(littleEndian: try take(MemoryLayout<Number>.size).loadUnaligned(as: Number.self))
  }

  /// The next `count` bytes as UTF-8.
  mutating func text(_ count: Int) throws(CheckpointError) -> String {
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw malformed("text is not valid UTF-8")
    }
    return text
  }

  /// The bytes up to the next line feed, which is passed, as UTF-8.
  mutating func line(atMost limit: Int) throws(CheckpointError) -> String {
    let rest = bytes[min(offset, bytes.count)...].prefix(limit)
    guard let end = rest.firstIndex(of: 0x0a) else { throw malformed("a name has no end") }
    let line = try text(end - offset)
    try skip(1)
    return line
  }
}
