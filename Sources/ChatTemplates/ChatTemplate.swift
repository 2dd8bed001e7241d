public import Foundation
public import StrictJSON

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
  ) throws(ChatTemplateError) {
    statements = try ChatTemplateError.naming(origin) { () throws(ChatTemplateError) in
      try TemplateParser.parse(source)
    }
    self.specialTokens = specialTokens
    self.origin = origin
  }

  /// The template of a checkpoint; nil if it has none.
  /// - Parameters:
  ///   - text: the text of `chat_template.jinja`, if there is one.
  ///   - config: the document `tokenizer_config.json`. Without `text` its member `chat_template` is
  ///     the template: a text, or a list of named ones of which the one named `default` counts.
  ///   - origin: the file that the template comes from, which all its errors name.
  public init?(
    text: String? = nil, tokenizerConfig config: JSONValue, origin: String? = nil
  ) throws(ChatTemplateError) {
    let source = try ChatTemplateError.naming(origin) { () throws(ChatTemplateError) in
      text == nil ? try Self.source(config) : text
    }
    guard let source else { return nil }
    // Each token is written as a text or as an object with its options.
    var tokens: [String: String] = [:]
    for role in ["bos_token", "eos_token", "unk_token", "pad_token"] {
      tokens[role] = config[role]?.string ?? config[role]?["content"]?.string
    }
    try self.init(source, specialTokens: tokens, origin: origin)
  }

  private static func source(_ config: JSONValue) throws(ChatTemplateError) -> String? {
    guard var member = config["chat_template"], !member.isNull else { return nil }
    if let named = member.array {
      guard let main = named.first(where: { $0["name"]?.string == "default" }) else { return nil }
      member = main["template"] ?? .null
    }
    guard let text = member.string else { throw .noText(path: "chat_template") }
    return text
  }

  /// The prompt for a conversation.
  /// - Parameters:
  ///   - addGenerationPrompt: whether to open the assistant's next message.
  ///   - now: the date, for templates that print it.
  public func render(
    _ messages: [ChatMessage], addGenerationPrompt: Bool = true, now: Date = Date()
  ) throws(ChatTemplateError) -> String {
    var variables = specialTokens.mapValues { TemplateValue.string($0) }
    variables["add_generation_prompt"] = .bool(addGenerationPrompt)
    variables["tools"] = TemplateValue.none
    variables["documents"] = TemplateValue.none
    return try ChatTemplateError.naming(origin) { () throws(ChatTemplateError) in
      try TemplateRun(variables: variables, clock: { Self.format(now, as: $0) })
        .print(statements, for: messages)
    }
  }

  /// What follows an answer of the assistant when the user then says `message`: the end of the answer's
  /// turn, the message, and the beginning of the next answer. A conversation whose text was read before
  /// goes on with it.
  public func nextTurn(_ message: String, now: Date = Date()) throws(ChatTemplateError) -> String {
    let answer = "A-former-answer"
    let whole = try render(
      [
        ChatMessage(role: "user", content: "A former message"),
        ChatMessage(role: "assistant", content: answer),
        ChatMessage(role: "user", content: message),
      ], now: now)
    // Without what precedes it, which may be another conversation's system prompt.
    guard let former = whole.range(of: answer) else {
      throw .refused(message: "the assistant's answers are not in the text it makes")
    }
    return String(whole[former.upperBound...])
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
