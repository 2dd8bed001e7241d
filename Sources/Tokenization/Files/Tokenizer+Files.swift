public import StrictJSON

extension Tokenizer {
  private static let vocabularyFile = "vocab.json"
  private static let mergesFile = "merges.txt"
  private static let configFile = "tokenizer_config.json"

  /// The forms of a tokenizer in the order in which they are looked for: files that hold one.
  private static let forms: [[String]] = [
    ["tokenizer.json"], [vocabularyFile, mergesFile], ["tokenizer.model"], ["tokenizer.model.v3"],
    ["tekken.json"], ["qwen.tiktoken"],
  ]

  /// The files of the form that is read; nil if there is none.
  private static func form(of files: TokenizerFiles) -> [String]? {
    forms.first { $0.allSatisfy(files.contains) }
  }

  /// Whether the files of a tokenizer that is read are among `files`.
  public static func isPresent(in files: TokenizerFiles) -> Bool { form(of: files) != nil }

  /// The file that a tokenizer is mainly read from.
  public static func mainFile(of files: TokenizerFiles) -> String {
    form(of: files)?[0] ?? forms[0][0]
  }

  /// The tokenizer of a checkpoint: `tokenizer.json`, or else what there is of `vocab.json` with
  /// `merges.txt`, SentencePiece's `tokenizer.model`, Mistral's `tekken.json` and Qwen's first
  /// `qwen.tiktoken`. `tokenizer_config.json` says what these leave open, and adds tokens.
  public static func load(_ files: TokenizerFiles) throws(TokenizationError) -> Tokenizer {
    guard let form = form(of: files) else {
      throw .noTokenizer(
        directory: files.path, lookedFor: forms.map { $0.joined(separator: " with ") },
        found: files.foreign)
    }
    let config = Field(try files.json(configFile) ?? [:], path: configFile)
    switch form[0] {
    case vocabularyFile:
      return try Tokenizer(
        vocabulary: try files.json(vocabularyFile) ?? [:],
        merges: String(decoding: try files.bytes(mergesFile) ?? [], as: UTF8.self),
        config: config.value)
    case "tekken.json": return try Tokenizer(tekken: try files.json(form[0]) ?? [:])
    case "qwen.tiktoken":
      return try Tokenizer(qwen: try files.bytes(form[0]) ?? [], file: files.path(of: form[0]))
    case "tokenizer.json":
      return try Tokenizer(
        tokenizerJSON: try files.json(form[0]) ?? [:],
        listedElsewhere: try listedTokens(config))
    default:
      let bytes = try files.bytes(form[0]) ?? [], path = files.path(of: form[0])
      guard !RankedVocabulary.isLines(bytes) else { throw .ranksWithoutPattern(file: path) }
      return try Tokenizer(
        sentencePiece: try SentencePieceFile(bytes, file: path), config: config,
        added: try listedTokens(config) + olderTokens(files, besides: config))
    }
  }

  /// The tokens of `added_tokens_decoder`.
  private static func listedTokens(_ config: Field) throws(TokenizationError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    guard let listed = config.optional("added_tokens_decoder") else { return [] }
    for (key, value) in try listed.object.members {
      let field = Field(value, path: "\(listed.path).\(key)")
      guard let id = Int(key) else {
        throw .wrongType(path: field.path, expected: "an id and a token", found: key)
      }
      tokens.append(try AddedToken(field, id: id))
    }
    return tokens
  }

  /// The tokens of `added_tokens.json`, which files without that list have: an object of ids.
  private static func olderTokens(
    _ files: TokenizerFiles, besides config: Field
  ) throws(TokenizationError) -> [AddedToken] {
    let name = "added_tokens.json"
    guard config.optional("added_tokens_decoder") == nil, let document = try files.json(name)
    else { return [] }
    var tokens: [AddedToken] = []
    for (token, id) in try Field(document, path: name).object.members {
      tokens.append(
        AddedToken(token, id: try Field(id, path: "\(name).\(token)").int, isSpecial: true))
    }
    return tokens
  }

  /// The tokenizer of a GGUF file.
  public init(gguf metadata: GGUFTokenizerMetadata) throws(TokenizationError) {
    try self.init(tokenizerJSON: try metadata.tokenizerJSON())
  }

  /// A byte-level tokenizer in its older form.
  /// - Parameters:
  ///   - vocabulary: the document `vocab.json`.
  ///   - merges: the text of `merges.txt`.
  ///   - config: the document `tokenizer_config.json`, whose `tokenizer_class` says how text is
  ///     split; nothing else does.
  public init(
    vocabulary: JSONValue, merges: String, config: JSONValue?
  ) throws(TokenizationError) {
    let tokens = try Field(vocabulary, path: Self.vocabularyFile).object
    let config = Field(config ?? [:], path: Self.configFile)
    var document = TokenizerDocument(
      try Self.preset(config), vocabulary: tokens, merges: try Self.merges(merges))
    document.addedTokens = try Self.addedTokens(config, tokens)
    for (key, isPrefix) in [("add_bos_token", true), ("add_eos_token", false)]
    where try config.bool(key, default: false) {
      let name = isPrefix ? "bos_token" : "eos_token"
      let token = try Self.text(of: config.member(name))
      let id = try Self.id(of: token, path: "\(Self.configFile).\(name)", tokens)
      if isPrefix { document.prefix = [(token, id)] } else { document.suffix = [(token, id)] }
    }
    try self.init(tokenizerJSON: document.json)
  }

  private static func preset(_ config: Field) throws(TokenizationError) -> PreTokenizerPreset {
    let name = try config.member("tokenizer_class")
    let text = try name.string
    let family = text.hasSuffix("Fast") ? String(text.dropLast(4)) : text
    guard let preset = PreTokenizerPreset.all.first(where: { $0.classes.contains(family) })
    else {
      throw .unsupportedComponent(
        path: name.path, type: text, supported: PreTokenizerPreset.all.flatMap(\.classes))
    }
    if try config.bool("add_prefix_space", default: false) {
      throw .unsupportedOption(
        path: "\(config.path).add_prefix_space", value: "true", reason: "only false is")
    }
    return preset
  }

  private static func merges(_ text: String) throws(TokenizationError) -> [JSONValue] {
    var merges: [JSONValue] = []
    for (index, line) in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
      .enumerated()
    {
      let line = line.last == 0x0d ? line.dropLast() : line
      if line.isEmpty || (index == 0 && line.starts(with: "#version".utf8)) { continue }
      let halves = line.split(separator: 0x20, omittingEmptySubsequences: false)
      guard halves.count == 2 else {
        throw .malformedMerges(line: index + 1, text: String(decoding: line, as: UTF8.self))
      }
      merges.append(.array(halves.map { .string(String(decoding: $0, as: UTF8.self)) }))
    }
    return merges
  }

  /// The tokens of `added_tokens_decoder`, and those with a role that it leaves out.
  private static func addedTokens(
    _ config: Field, _ vocabulary: JSONObject
  ) throws(TokenizationError) -> [JSONValue] {
    var added = JSONObject()
    if let listed = config.optional("added_tokens_decoder") {
      for (key, value) in try listed.object.members {
        let field = Field(value, path: "\(listed.path).\(key)")
        guard let id = Int(key), var entry = value.object else {
          throw .wrongType(path: field.path, expected: "an id and a token", found: key)
        }
        entry["id"] = .int(id)
        added[try field.member("content").string] = .object(entry)
      }
    }
    for role in ["bos_token", "eos_token", "unk_token", "pad_token"] {
      guard let field = config.optional(role) else { continue }
      let token = try text(of: field)
      if added[token] != nil { continue }
      added[token] = TokenizerDocument.addedToken(
        token, id: try id(of: token, path: field.path, vocabulary), special: true)
    }
    return added.members.map(\.value)
  }

  /// A token written as a string or as an object with its options.
  private static func text(of field: Field) throws(TokenizationError) -> String {
    try (field.optional("content") ?? field).string
  }

  private static func id(
    of token: String, path: String, _ vocabulary: JSONObject
  ) throws(TokenizationError) -> Int {
    guard let id = vocabulary[token]?.int else { throw .absentToken(path: path, token: token) }
    return id
  }
}
