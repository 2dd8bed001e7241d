import Foundations
public import Tokenization

/// Texts of a task as tokens, cut where lm-eval's `HFLM` cuts them.
public struct TaskEncoder: Sendable {
  /// The tokens of a text of which the end is scored.
  struct Pair: Equatable {
    /// All of them.
    var tokens: [Int]
    /// How many come before those that are scored, at least 1.
    var contextCount: Int
    /// Whether some were left out in front.
    var isTruncated: Bool
  }

  /// The tokenizer.
  public let tokenizer: Tokenizer
  /// The token that begins a text; nil where the tokenizer names none.
  let beginning: Int?
  /// The token that ends one, likewise.
  let end: Int?
  /// Most tokens that the model is given at once.
  public let maximumLength: Int

  /// An encoder for a model that is given at most `maximumLength` tokens at once.
  public init(_ tokenizer: Tokenizer, beginning: Int?, end: Int?, maximumLength: Int) {
    self.tokenizer = tokenizer
    self.beginning = beginning
    self.end = end
    self.maximumLength = maximumLength
  }

  /// What stands before a text that has no context.
  private var prefix: Int? { beginning ?? end }

  /// A text that ends an answer, which lm-eval adds to those of the task.
  var endText: String? { end.flatMap(tokenizer.token) }

  private func text(_ text: String, startsWith token: Int?) -> Bool {
    guard let start = token.flatMap(tokenizer.token) else { return false }
    return text.utf8.starts(with: start.utf8)
  }

  /// The tokens of a text, with those that the tokenizer adds unless its beginning is written out.
  private func encode(_ text: String) -> [Int] {
    tokenizer.encode(text, addSpecialTokens: !self.text(text, startsWith: prefix))
  }

  /// The tokens of `context` and `continuation`, encoded together: what goes beyond those of the context
  /// alone is scored. White space that ends the context belongs to the continuation.
  func pair(
    _ context: String, _ continuation: String, place: String
  ) throws(TaskError) -> Pair {
    var before: [Int], scored: [Int]
    if context.isEmpty {
      scored = tokenizer.encode(continuation, addSpecialTokens: false)
      guard let prefix else { throw .noContext(place: place) }
      before = [prefix]
      if scored.first == prefix { scored.removeFirst() }
    } else {
      var kept = context.unicodeScalars[...]
      while kept.last?.isPythonSpace == true { kept.removeLast() }
      before = encode(String(kept))
      scored = Array(encode(context + continuation).dropFirst(before.count))
    }
    guard !before.isEmpty else { throw .noContext(place: place) }
    guard !scored.isEmpty else { throw .noContinuation(place: place) }
    guard scored.count <= maximumLength else {
      throw .continuationTooLong(tokens: scored.count, limit: maximumLength, place: place)
    }
    // The last token is predicted and not read.
    let room = maximumLength + 1 - scored.count
    return Pair(
      tokens: before.suffix(room) + scored, contextCount: min(before.count, room),
      isTruncated: before.count > room)
  }

  /// The last tokens of `text` that leave room for `generated` more, and whether that is not all.
  func prompt(
    _ text: String, generated: Int, place: String
  ) throws(TaskError) -> (tokens: [Int], isTruncated: Bool) {
    let tokens = tokenizer.encode(
      text, addSpecialTokens: !self.text(text, startsWith: beginning))
    guard !tokens.isEmpty else { throw .noPrompt(place: place) }
    let room = maximumLength - generated
    return (tokens.suffix(room), tokens.count > room)
  }
}
