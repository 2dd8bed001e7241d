public import Foundation

/// One message of a conversation.
public struct ChatMessage: Sendable, Hashable {
  /// Usually `system`, `user` or `assistant`; the template decides which it accepts.
  public var role: String
  public var content: String

  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

/// Turns a conversation into the prompt a checkpoint was trained on.
///
/// A checkpoint brings its format as a Jinja template. The template is run, not recognised: what
/// it prints is what `apply_chat_template` of `transformers` gives. The subset of Jinja that chat
/// templates use is supported; a template that needs more when it runs is an error that names
/// the construct, never an approximation.
public struct ChatTemplate: Sendable {
  private let statements: [TemplateStatement]
  /// `bos_token` and the like, which templates print.
  private let specialTokens: [String: String]
  private let origin: String?

  /// - Parameters:
  ///   - specialTokens: names such as `bos_token` and their texts.
  ///   - origin: the file that the template comes from, which all its errors name.
  public init(
    _ source: String, specialTokens: [String: String] = [:], origin: String? = nil
  ) throws(TokenizationError) {
    statements = try naming(origin) { () throws(TokenizationError) in
      try TemplateParser.parse(source)
    }
    self.specialTokens = specialTokens
    self.origin = origin
  }

  /// The prompt for a conversation.
  /// - Parameters:
  ///   - addGenerationPrompt: whether to open the assistant's next message.
  ///   - now: the date, for templates that print it.
  public func render(
    _ messages: [ChatMessage], addGenerationPrompt: Bool = true, now: Date = Date()
  ) throws(TokenizationError) -> String {
    var variables = specialTokens.mapValues { TemplateValue.string($0) }
    variables["add_generation_prompt"] = .bool(addGenerationPrompt)
    variables["tools"] = TemplateValue.none
    variables["documents"] = TemplateValue.none
    return try naming(origin) { () throws(TokenizationError) in
      try TemplateRun(variables: variables, clock: { Self.format(now, as: $0) })
        .print(statements, for: messages)
    }
  }

  /// Formats a date as `strftime` does in the C locale; nil for directives templates do not use.
  private static func format(_ date: Date, as format: String) -> String? {
    let patterns: [Character: String] = [
      "d": "dd", "m": "MM", "Y": "yyyy", "y": "yy", "B": "MMMM", "b": "MMM", "A": "EEEE",
      "a": "EEE", "H": "HH", "M": "mm", "S": "ss", "j": "DDD", "p": "a", "I": "hh",
    ]
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    var text = ""
    var rest = Substring(format)
    while let character = rest.popFirst() {
      guard character == "%" else {
        text.append(character)
        continue
      }
      guard let directive = rest.popFirst(), let pattern = patterns[directive] else { return nil }
      formatter.dateFormat = pattern
      text += formatter.string(from: date)
    }
    return text
  }
}
