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
    let file = folder.appendingPathComponent(templateFile).path
    if let source = try readFile(folder, templateFile) {
      return try ChatTemplate(
        String(decoding: source, as: UTF8.self), specialTokens: specialTokens(config),
        origin: file)
    }
    return try ChatTemplate(
      tokenizerConfig: config, origin: folder.appendingPathComponent(configFile).path)
  }

  /// The template in a `tokenizer_config.json`: a text, or a list of named ones of which the
  /// one named `default` counts. Nil if there is none.
  ///
  /// - Parameter origin: the file that holds it, which errors name.
  public init?(
    tokenizerConfig config: JSONValue, origin: String? = nil
  ) throws(TokenizationError) {
    let source = try naming(origin) { () throws(TokenizationError) -> String? in
      guard let field = Field(config).optional("chat_template") else { return nil }
      guard field.value.array != nil else { return try field.string }
      return try field.elements.first { $0.value["name"]?.string == "default" }?
        .member("template").string
    }
    guard let source else { return nil }
    try self.init(source, specialTokens: Self.specialTokens(config), origin: origin)
  }

  /// The template of a GGUF file; nil if it has none.
  public init?(
    gguf metadata: GGUFTokenizerMetadata, origin: String? = nil
  ) throws(TokenizationError) {
    let config = try naming(origin) { () throws(TokenizationError) in
      try metadata.tokenizerConfigJSON()
    }
    try self.init(tokenizerConfig: config, origin: origin)
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
