/// The fields of a protocol buffer message, read in order and never past its end.
///
/// Wire format: each field is a varint `number << 3 | type`; type 0 is a varint, 1 eight bytes,
/// 2 a length and bytes, 5 four bytes. Groups (3, 4) are refused. Source: the protocol buffers
/// encoding documentation.
struct ProtobufFields {
  /// What a field holds.
  enum Value {
    case varint(UInt64)
    case fixed32(UInt32)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private let bytes: ArraySlice<UInt8>
  private let file: String
  private var position: Int

  /// - Parameter file: the file's name, for errors.
  init(_ bytes: ArraySlice<UInt8>, file: String) {
    self.bytes = bytes
    self.file = file
    position = bytes.startIndex
  }

  /// The next field; nil at the end.
  mutating func next() throws(TokenizationError) -> (number: Int, value: Value)? {
    guard position < bytes.endIndex else { return nil }
    let start = position
    let tag = try varint()
    guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw malformed("no field number", at: start) }
    let value: Value
    switch tag & 7 {
    case 0: value = .varint(try varint())
    case 1: value = .fixed64(try fixed(8))
    case 2:
      let length = try varint()
      guard length <= UInt64(bytes.endIndex - position) else {
        throw malformed("a field of \(length) bytes, past the end of what holds it", at: start)
      }
      value = .bytes(bytes[position..<position + Int(length)])
      position += Int(length)
    case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
    case let type: throw malformed("a field of the unknown wire type \(type)", at: start)
    }
    return (Int(tag >> 3), value)
  }

  private mutating func varint() throws(TokenizationError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < bytes.endIndex else { throw malformed("a cut number", at: start) }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    throw malformed("a number of more than ten bytes", at: start)
  }

  private mutating func fixed(_ count: Int) throws(TokenizationError) -> UInt64 {
    guard bytes.endIndex - position >= count else { throw malformed("a cut number", at: position) }
    defer { position += count }
    return bytes[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func malformed(_ what: String, at position: Int) -> TokenizationError {
    .malformed(file: file, reason: "byte \(position): \(what)")
  }
}

extension ProtobufFields.Value {
  /// A bool or an enumeration.
  var int: Int? {
    guard case .varint(let value) = self else { return nil }
    // Negative int32 are written as ten bytes.
    return Int(truncatingIfNeeded: Int64(bitPattern: value))
  }

  var float: Float? {
    guard case .fixed32(let bits) = self else { return nil }
    return Float(bitPattern: bits)
  }

  var bytes: ArraySlice<UInt8>? {
    guard case .bytes(let bytes) = self else { return nil }
    return bytes
  }
}
