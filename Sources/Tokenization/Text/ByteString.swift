/// A text as UTF-8 bytes, compared byte by byte.
///
/// Tokens are byte strings: Swift's own comparison treats canonically equivalent texts as equal,
/// and many vocabularies hold both forms.
struct ByteString: Hashable, Sendable {
  let bytes: ArraySlice<UInt8>

  /// A view of `bytes`; it keeps the whole array alive.
  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  init(_ text: String) { self.bytes = Array(text.utf8)[...] }

  /// The same bytes in storage of their own.
  var detached: ByteString { ByteString(Array(bytes)) }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  var count: Int { bytes.count }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

extension Sequence<UInt8> {
  /// The bytes as valid UTF-8: each maximal invalid part becomes U+FFFD, as Python's
  /// `decode(errors="replace")` does.
  var repairedUTF8: [UInt8] {
    Array(String(decoding: Array(self), as: UTF8.self).utf8)
  }
}
