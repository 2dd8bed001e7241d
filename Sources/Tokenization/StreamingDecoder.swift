/// Decodes ids one at a time, as they are generated.
///
/// What it returns, put together, is what `decode` gives for all ids, as long as these spell
/// valid UTF-8; text appears as soon as its last character is complete.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipSpecialTokens: Bool
  /// Ids that are decoded again with each new one, since a token's text can depend on the one
  /// before it: first those whose text has been returned, then those that wait.
  private var window: [Int] = []
  private var returned = 0

  /// A scalar has at most 4 bytes and a token at least one: whoever waits for more tokens than
  /// this to complete a character has seen invalid UTF-8.
  private static let longestWait = 8

  public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    self.skipSpecialTokens = skipSpecialTokens
  }

  /// The text that the next id completes; often empty in the middle of a character.
  public mutating func append(_ id: Int) -> String {
    // A token without text must not become the window's first: what precedes a token matters.
    guard tokenizer.token(of: id) != nil,
      !(skipSpecialTokens && tokenizer.specialIDs.contains(id))
    else { return "" }
    window.append(id)
    let text = pendingText()
    if text.unicodeScalars.last == "\u{fffd}", window.count - returned < Self.longestWait {
      return ""
    }
    window.removeFirst(returned)
    returned = window.count
    return text
  }

  /// The text of an unfinished character, once generation is over.
  public mutating func finish() -> String {
    let text = pendingText()
    window = []
    returned = 0
    return text
  }

  private func pendingText() -> String {
    let before = decode(window[..<returned]).utf8.count
    return String(decoding: decode(window[...]).utf8.dropFirst(before), as: UTF8.self)
  }

  private func decode(_ ids: ArraySlice<Int>) -> String {
    tokenizer.decode(ids, skipSpecialTokens: skipSpecialTokens)
  }
}
