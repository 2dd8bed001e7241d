/// Decodes ids one at a time, as they are generated.
///
/// What it returns, put together, is what `decode` gives for all ids, as long as these spell
/// valid UTF-8; each character appears as soon as its last byte is there.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipSpecialTokens: Bool
  /// Tokens that are decoded again with each new one, since a token's text can depend on those
  /// before it: first those that ended with a complete character, then those since.
  private var window: [[UInt8]] = []
  private var settled = 0
  /// How many bytes of the window's text have been returned.
  private var returned = 0

  /// Random bytes can leave a character open at every token; the window ends nevertheless.
  private static let longestWindow = 64

  /// A decoder at the start of a text.
  public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    self.skipSpecialTokens = skipSpecialTokens
  }

  /// The text that the next id completes; often empty in the middle of a character.
  public mutating func append(_ id: Int) -> String {
    guard let token = tokenizer.bytes(of: id, skipSpecialTokens: skipSpecialTokens) else {
      return ""
    }
    window.append(token)
    let bytes = tokenizer.decoder.bytes(of: window, isFinal: false)
    let complete = bytes.count - bytes.unfinishedTail
    let text = String(decoding: bytes[min(returned, complete)..<complete], as: UTF8.self)
    returned = complete
    if complete == bytes.count || window.count > Self.longestWindow { settle() }
    return text
  }

  /// The text of an unfinished character, once generation is over.
  public mutating func finish() -> String {
    let bytes = tokenizer.decoder.bytes(of: window)
    window = []
    settled = 0
    defer { returned = 0 }
    return String(decoding: bytes[min(returned, bytes.count)...], as: UTF8.self)
  }

  /// Keeps only the tokens since the window was last settled.
  private mutating func settle() {
    window.removeFirst(settled)
    settled = window.count
    let bytes = tokenizer.decoder.bytes(of: window, isFinal: false)
    returned = bytes.count - bytes.unfinishedTail
  }
}
