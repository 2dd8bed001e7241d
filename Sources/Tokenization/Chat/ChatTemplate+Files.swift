import Foundation
public import StrictJSON

extension ChatTemplate {
  private static let templateFile = "chat_template.jinja"
  private static let configFile = "tokenizer_config.json"
  private static let roles = ["bos_token", "eos_token", "unk_token", "pad_token"]

  /// The chat template of a checkpoint directory: `chat_template.jinja`, or else the member
  /// `chat_template` of `tokenizer_config.json`. Nil if it has none.
  public static func load(directory: String) throws(TokenizationError) -> ChatTemplate? {
    let folder = URL(fileURLWithPath: directory, isDirectory: true)
    let config = try readJSON(folder, configFile) ?? [:]
    if let source = try readFile(folder, templateFile) {
      return try ChatTemplate(
        String(decoding: source, as: UTF8.self), specialTokens: specialTokens(config))
    }
    return try ChatTemplate(tokenizerConfig: config)
  }

  /// The template in a `tokenizer_config.json`: a text, or a list of named ones of which the
  /// one named `default` counts. Nil if there is none.
  public init?(tokenizerConfig config: JSONValue) throws(TokenizationError) {
    guard let field = Field(config, path: Self.configFile).optional("chat_template") else {
      return nil
    }
    var source = field
    if field.value.array != nil {
      let named = try field.elements.first { $0.value["name"]?.string == "default" }
      guard let named else { return nil }
      source = try named.member("template")
    }
    try self.init(try source.string, specialTokens: Self.specialTokens(config))
  }

  /// The template of a GGUF file; nil if it has none.
  public init?(gguf metadata: GGUFTokenizerMetadata) throws(TokenizationError) {
    try self.init(tokenizerConfig: try metadata.tokenizerConfigJSON())
  }

  /// The tokens with a role, each written as a text or as an object with its options.
  private static func specialTokens(_ config: JSONValue) -> [String: String] {
    var tokens: [String: String] = [:]
    for role in roles {
      tokens[role] = config[role]?.string ?? config[role]?["content"]?.string
    }
    return tokens
  }
}
