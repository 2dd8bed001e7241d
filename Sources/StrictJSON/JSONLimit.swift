/// How many values a kind of document may hold: far more than any that is published, so that
/// memory stays bounded. A value takes many times the bytes it is written with.
public struct JSONLimit: Sendable, Equatable {
  /// Values, a member of an object counted as four: it has a key, and is looked up by it.
  public let values: Int

  /// Configurations (the longest in use have a few thousand values), and what has no limit of its
  /// own.
  public static let configuration = JSONLimit(values: 1 << 16)
  /// Files of tokenizers (260,000 tokens with 520,000 merges count as 2.6 million).
  public static let tokenizer = JSONLimit(values: 1 << 22)
  /// Lists of token ids.
  public static let ids = JSONLimit(values: 1 << 22)
  /// Documents that list tensors: headers, indices and manifests.
  public static let tensors = JSONLimit(values: 1 << 22)

  /// Throws when the JSON text `bytes` can hold more values than these. It only counts commas,
  /// colons and brackets, so nothing is built of a text that is too large.
  func check(_ bytes: [UInt8]) throws(JSONError) {
    var count = 1
    var isInString = false
    var isEscaped = false
    for byte in bytes {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
      case UInt8(ascii: ":"): count += 3
      default: continue
      }
      if count > values { throw .tooManyValues(limit: values) }
    }
  }
}
