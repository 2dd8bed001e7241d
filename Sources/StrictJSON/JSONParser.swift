import Foundations

/// A strict RFC 8259 parser: duplicate keys, invalid UTF-8, trailing text, deep nesting and too
/// many values are errors.
public struct JSONParser {
  /// Deeper documents are refused: no file we read needs more, and recursion must be bounded.
  public static let maximumDepth = 128

  /// Parses one JSON document that holds at most as many values as `limit` says.
  public static func parse(
    _ bytes: some Sequence<UInt8>, limit: JSONLimit = .configuration
  ) throws(JSONError) -> JSONValue {
    let bytes = Array(bytes)
    do throws(JSONError) {
      return try parse(document: bytes, limit: limit)
    } catch {
      throw Placeholder(bytes).map(JSONError.placeholder) ?? error
    }
  }

  private static func parse(
    document bytes: [UInt8], limit: JSONLimit
  ) throws(JSONError) -> JSONValue {
    var parser = JSONParser(bytes: bytes)
    try limit.check(parser.bytes)
    guard String(validating: parser.bytes, as: UTF8.self) != nil else {
      throw .invalidUTF8
    }
    parser.skipSpace()
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    if parser.position < parser.bytes.count { throw .trailingBytes(offset: parser.position) }
    return value
  }

  /// Parses one JSON document that holds at most as many values as `limit` says.
  public static func parse(
    _ text: String, limit: JSONLimit = .configuration
  ) throws(JSONError) -> JSONValue {
    try parse(text.utf8, limit: limit)
  }

  private let bytes: [UInt8]
  private var position = 0

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= JSONParser.maximumDepth else {
      throw .tooDeep(limit: JSONParser.maximumDepth, offset: position)
    }
    switch try peek() {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var object = JSONObject()
    skipSpace()
    if try peek() == UInt8(ascii: "}") {
      position += 1
      return .object(object)
    }
    while true {
      skipSpace()
      let offset = position
      guard try peek() == UInt8(ascii: "\"") else {
        throw .unexpectedByte(bytes[position], offset: position, expected: "a key")
      }
      let key = try string()
      skipSpace()
      try expect(UInt8(ascii: ":"), "':'")
      skipSpace()
      guard object.insert(key, try value(depth: depth + 1)) else {
        throw .duplicateKey(key, offset: offset)
      }
      skipSpace()
      if try peek() == UInt8(ascii: "}") {
        position += 1
        return .object(object)
      }
      try expect(UInt8(ascii: ","), "',' or '}'")
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if try peek() == UInt8(ascii: "]") {
      position += 1
      return .array(elements)
    }
    while true {
      skipSpace()
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if try peek() == UInt8(ascii: "]") {
        position += 1
        return .array(elements)
      }
      try expect(UInt8(ascii: ","), "',' or ']'")
    }
  }

  private mutating func string() throws(JSONError) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while true {
      let run = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "\""),
        bytes[position] != UInt8(ascii: "\\"), bytes[position] >= 0x20
      {
        position += 1
      }
      let byte = try peek()
      if byte == UInt8(ascii: "\""), text.isEmpty {
        position += 1
        return String(decoding: bytes[run..<position - 1], as: UTF8.self)
      }
      text += bytes[run..<position]
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        position += 1
        try escape(into: &text, start: start)
      default:
        throw .invalidString(offset: start, reason: "control character")
      }
    }
  }

  private mutating func escape(into text: inout [UInt8], start: Int) throws(JSONError) {
    let byte = try peek()
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var code = UInt32(try hex4(start: start))
      if (0xd800..<0xdc00).contains(code) {
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw .invalidString(offset: start, reason: "unpaired surrogate") }
        position += 2
        let low = UInt32(try hex4(start: start))
        guard (0xdc00..<0xe000).contains(low) else {
          throw .invalidString(offset: start, reason: "unpaired surrogate")
        }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw .invalidString(offset: start, reason: "unpaired surrogate")
      }
      text += Array(String(Character(scalar)).utf8)
    default:
      throw .invalidString(offset: start, reason: "unknown escape")
    }
  }

  private mutating func hex4(start: Int) throws(JSONError) -> UInt16 {
    guard position + 4 <= bytes.count else { throw .unexpectedEnd(offset: bytes.count) }
    var code: UInt16 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw .invalidString(offset: start, reason: "malformed \\u escape")
      }
      code = code << 4 | UInt16(digit)
    }
    position += 4
    return code
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    func digit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    func digits() throws(JSONError) {
      let first = position
      while position < bytes.count, digit(bytes[position]) { position += 1 }
      if position == first { throw .invalidNumber(offset: start) }
    }
    if try peek() == UInt8(ascii: "-") { position += 1 }
    guard position < bytes.count else { throw .unexpectedEnd(offset: position) }
    guard digit(bytes[position]) else {
      throw .unexpectedByte(bytes[position], offset: position, expected: "a value")
    }
    if bytes[position] == UInt8(ascii: "0") { position += 1 } else { try digits() }
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < bytes.count,
        bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      try digits()
    }
    return .number(String(decoding: bytes[start..<position], as: UTF8.self))
  }

  private mutating func literal(
    _ word: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    let text = "\(word)".utf8
    guard bytes[position...].starts(with: text) else {
      throw .unexpectedByte(bytes[position], offset: position, expected: "a value")
    }
    position += text.count
    return value
  }

  private func peek() throws(JSONError) -> UInt8 {
    guard position < bytes.count else { throw .unexpectedEnd(offset: position) }
    return bytes[position]
  }

  private mutating func expect(_ byte: UInt8, _ name: String) throws(JSONError) {
    guard try peek() == byte else {
      throw .unexpectedByte(bytes[position], offset: position, expected: name)
    }
    position += 1
  }

  private mutating func skipSpace() {
    while position < bytes.count,
      bytes[position] == 0x20 || bytes[position] == 0x0a || bytes[position] == 0x0d
        || bytes[position] == 0x09
    {
      position += 1
    }
  }
}
