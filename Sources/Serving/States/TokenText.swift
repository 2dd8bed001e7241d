/// Token ids as text, as state files keep those that a state has read: `12,7,3`.
enum TokenText {
  static func text(_ tokens: some Sequence<some BinaryInteger>) -> String {
    tokens.map { "\($0)" }.joined(separator: ",")
  }

  /// The ids in `text`; nil when it is no such text.
  static func tokens(in text: String) -> [Int32]? {
    let parts = text.split(separator: ",")
    let tokens = parts.compactMap { Int32($0) }
    return tokens.count == parts.count ? tokens : nil
  }
}
