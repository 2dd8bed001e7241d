/// Reads the little-endian primitives of a GGUF file, never past its end.
struct GGUFCursor {
  let bytes: UnsafeRawBufferPointer
  let file: String
  private(set) var offset = 0

  init(bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = bytes
    self.file = file
  }

  /// The number of bytes not read yet.
  var remaining: Int { bytes.count - offset }

  /// The next integer; `part` names it in the error when the file ends first.
  mutating func integer<Integer: FixedWidthInteger>(
    _ part: @autoclosure () -> String, as type: Integer.Type = Integer.self
  ) throws(CheckpointError) -> Integer {
    let size = MemoryLayout<Integer>.size
    guard size <= remaining else { throw truncated(part(), needing: size) }
    defer { offset += size }
    return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }

  /// The next string: a u64 length of at most `limit`, then UTF-8.
  mutating func string(
    _ part: @autoclosure () -> String, limit: Int
  ) throws(CheckpointError) -> String {
    let start = offset
    let length = try integer(part(), as: UInt64.self)
    guard length <= UInt64(limit) else {
      throw .limitExceeded(file: file, quantity: "length of \(part())", limit: limit, got: length)
    }
    guard Int(length) <= remaining else { throw truncated(part(), needing: Int(length)) }
    let text = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(length)])
    guard let string = String(validating: text, as: UTF8.self) else {
      throw .ggufText(file: file, part: part(), offset: start)
    }
    offset += Int(length)
    return string
  }

  private func truncated(_ part: String, needing size: Int) -> CheckpointError {
    .truncated(file: file, part: part, expected: offset + size, got: bytes.count)
  }
}
