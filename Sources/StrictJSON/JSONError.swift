public import Foundations

/// Why a text is not the JSON we accept, with the byte offset at which it goes wrong.
public enum JSONError: ReportableError, Equatable {
  case unexpectedEnd(offset: Int)
  case unexpectedByte(UInt8, offset: Int, expected: String)
  case invalidNumber(offset: Int)
  case invalidString(offset: Int, reason: String)
  case invalidUTF8
  case duplicateKey(String, offset: Int)
  case tooDeep(limit: Int, offset: Int)
  case tooManyValues(limit: Int)
  case trailingBytes(offset: Int)
  case placeholder(Placeholder)

  public var what: String {
    switch self {
    case .unexpectedEnd(let offset):
      "JSON ends unexpectedly at byte \(offset)"
    case .unexpectedByte(let byte, let offset, let expected):
      "JSON: expected \(expected) at byte \(offset), found \(JSONError.printed(byte))"
    case .invalidNumber(let offset): "JSON: malformed number at byte \(offset)"
    case .invalidString(let offset, let reason): "JSON: \(reason) in the string at byte \(offset)"
    case .invalidUTF8: "JSON text is not valid UTF-8"
    case .duplicateKey(let key, let offset): "JSON: key \"\(key)\" appears twice (byte \(offset))"
    case .tooDeep(let limit, let offset):
      "JSON is nested deeper than \(limit) levels at byte \(offset)"
    case .tooManyValues(let limit):
      "JSON holds more than \(limit) values (a member of an object counts as four)"
    case .trailingBytes(let offset): "JSON: unexpected text after the end, at byte \(offset)"
    case .placeholder(let placeholder): placeholder.text
    }
  }

  private static func printed(_ byte: UInt8) -> String {
    (0x20..<0x7f).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
  }
}
