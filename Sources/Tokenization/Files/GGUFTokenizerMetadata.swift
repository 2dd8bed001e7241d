public import StrictJSON

/// The entries `tokenizer.*` of a GGUF file.
///
/// The pattern that splits text is not in the file, only its name; an unknown name, or none, is an
/// error.
public struct GGUFTokenizerMetadata: Sendable {
  /// `tokenizer.ggml.model`: `gpt2` (byte-level) or `llama` (SentencePiece).
  public var model: String
  /// The special tokens that leave the white space behind them alone, where the others take it; nil where none
  /// takes it. The architecture tells, since the file does not.
  public var spacelessTokens: Set<String>?
  /// `tokenizer.ggml.pre`.
  public var pre: String?
  /// `tokenizer.ggml.tokens`, by id.
  public var tokens: [String]
  /// `tokenizer.ggml.scores`: which merges come first, for `llama`.
  public var scores: [Float]?
  /// `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused,
  /// 6 byte.
  public var tokenTypes: [Int]?
  /// `tokenizer.ggml.merges`: pairs of tokens, for `gpt2`.
  public var merges: [String]?
  /// `tokenizer.ggml.bos_token_id` and so on.
  public var bosID: Int?
  public var eosID: Int?
  public var unknownID: Int?
  public var paddingID: Int?
  /// The end of a turn in a conversation.
  public var eotID: Int?
  /// `tokenizer.ggml.add_bos_token`, `add_eos_token` and `add_space_prefix`.
  public var addsBOS: Bool?
  public var addsEOS: Bool?
  public var addsSpacePrefix: Bool?
  /// `tokenizer.chat_template`.
  public var chatTemplate: String?

  public init(model: String, tokens: [String]) {
    self.model = model
    self.tokens = tokens
  }

  /// A `tokenizer.json` that gives the same ids.
  public func tokenizerJSON() throws(TokenizationError) -> JSONValue {
    try checkLengths()
    var document: TokenizerDocument
    let addsBOSByDefault: Bool
    switch model {
    case "gpt2":
      let preset = try preset()
      guard let merges else {
        throw .missingMetadata(
          key: "tokenizer.ggml.merges", reason: "byte-level tokenizers need merges")
      }
      document = TokenizerDocument(
        preset, vocabulary: try vocabulary(), merges: merges.map { .string($0) })
      addsBOSByDefault = preset.addsBOS
    case "llama":
      document = TokenizerDocument(
        sentencePiece: try vocabulary(), merges: try derivedMerges(),
        unknown: try unknownID.map(token), hasPrefix: addsSpacePrefix ?? true)
      addsBOSByDefault = true
    case "" where tokens.isEmpty:
      throw .missingMetadata(key: "tokenizer.ggml.model", reason: "the file has no tokenizer")
    default:
      throw .unknownModel(model, known: ["gpt2", "llama"])
    }
    document.addedTokens = try addedTokens()
    if let bosID, addsBOS ?? addsBOSByDefault { document.prefix = [(try token(bosID), bosID)] }
    if let eosID, addsEOS ?? false { document.suffix = [(try token(eosID), eosID)] }
    return document.json
  }

  /// Whether the file says that llama.cpp's stand-in splits text, which is hardly ever what the
  /// model was trained with.
  public var splitsByDefault: Bool { model == "gpt2" && pre == PreTokenizerPreset.defaultName }

  /// The first id whose token is another one in `tokenizer`; nil if there is none.
  public func firstDifference(from tokenizer: Tokenizer) -> Int? {
    // Some files write the mark of a space as a space.
    func spaced(_ token: String) -> String { token.replacing("▁", with: " ") }
    return tokens.indices.first { id in
      guard let other = tokenizer.token(of: id), other != tokens[id] else { return false }
      return spaced(other) != spaced(tokens[id])
    }
  }

  /// A `tokenizer_config.json` for the same tokenizer.
  public func tokenizerConfigJSON() throws(TokenizationError) -> JSONValue {
    var config = JSONObject([("tokenizer_class", "PreTrainedTokenizerFast")])
    for (key, id) in [
      ("bos_token", bosID), ("eos_token", eosID), ("unk_token", unknownID),
      ("pad_token", paddingID),
    ] {
      if let id { config[key] = .string(try token(id)) }
    }
    config["clean_up_tokenization_spaces"] = false
    if let chatTemplate { config["chat_template"] = .string(chatTemplate) }
    return .object(config)
  }

  /// A `generation_config.json`: the ids that begin, end and pad a text.
  public func generationConfigJSON() -> JSONValue {
    var config = JSONObject()
    if let bosID { config["bos_token_id"] = .int(bosID) }
    let ends = [eosID, eotID == eosID ? nil : eotID].compactMap(\.self)
    if !ends.isEmpty { config["eos_token_id"] = ends.count == 1 ? .int(ends[0]) : .ints(ends) }
    if let paddingID { config["pad_token_id"] = .int(paddingID) }
    return .object(config)
  }

  private func preset() throws(TokenizationError) -> PreTokenizerPreset {
    guard let pre else {
      throw .missingMetadata(
        key: "tokenizer.ggml.pre", reason: "how text is split is not known without it")
    }
    guard let preset = PreTokenizerPreset.named(gguf: pre) else {
      throw .unknownPreTokenizer(pre, known: PreTokenizerPreset.all.flatMap(\.ggufNames))
    }
    return preset
  }

  private func checkLengths() throws(TokenizationError) {
    guard tokens.count <= TokenizationLimits.vocabularySize else {
      throw .tooLarge("vocabulary", tokens.count, limit: TokenizationLimits.vocabularySize)
    }
    for (key, count) in [("scores", scores?.count), ("token_type", tokenTypes?.count)] {
      if let count, count != tokens.count {
        throw .metadataLength(
          key: "tokenizer.ggml.\(key)", expected: tokens.count, found: count)
      }
    }
  }

  private func token(_ id: Int) throws(TokenizationError) -> String {
    guard tokens.indices.contains(id) else {
      throw .idOutOfRange(token: "special", id: id, limit: tokens.count)
    }
    return tokens[id]
  }

  private func vocabulary() throws(TokenizationError) -> JSONObject {
    var vocabulary = JSONObject()
    for (id, token) in tokens.enumerated() {
      if let other = vocabulary[token]?.int {
        throw .tokenTaken(token: token, first: other, second: id)
      }
      vocabulary[token] = .int(id)
    }
    return vocabulary
  }

  /// The values of `tokenizer.ggml.token_type` that matter here.
  private enum TokenType {
    static let normal = 1
    static let unknown = 2
    static let control = 3
    static let userDefined = 4
  }

  /// Control tokens, the unknown token and the ids with a role are special; tokens that users
  /// defined are looked for in the text but are ordinary otherwise.
  private func addedTokens() throws(TokenizationError) -> [JSONValue] {
    let roles = Set([bosID, eosID, unknownID, paddingID, eotID].compactMap(\.self))
    for id in roles where !tokens.indices.contains(id) {
      throw .idOutOfRange(token: "special", id: id, limit: tokens.count)
    }
    return tokens.enumerated().compactMap { id, token in
      let type = tokenTypes?[id] ?? TokenType.normal
      let special =
        type == TokenType.control || type == TokenType.unknown || roles.contains(id)
      guard special || type == TokenType.userDefined else { return nil }
      return TokenizerDocument.addedToken(
        token, id: id, special: special,
        takesSpaces: model == "llama" && spacelessTokens.map { !$0.contains(token) } ?? false)
    }
  }

  /// Merges for a vocabulary that has scores only: SentencePiece joins the two neighbours whose
  /// union has the best score, so every way to make a token of two others is a merge, and the
  /// better token's come first.
  private func derivedMerges() throws(TokenizationError) -> [JSONValue] {
    guard let scores else {
      throw .missingMetadata(
        key: "tokenizer.ggml.scores", reason: "merges are derived from them")
    }
    let ids = Dictionary(
      tokens.enumerated().compactMap { id, token in
        isMergeable(id) ? (ByteString(token), id) : nil
      }, uniquingKeysWith: { first, _ in first })
    let ranked = tokens.indices.filter(isMergeable)
      .sorted { (-scores[$0], $0) < (-scores[$1], $1) }
    return ranked.flatMap { halves(of: tokens[$0], ids) }.map { left, right in
      [.string(tokens[left]), .string(tokens[right])]
    }
  }

  private func isMergeable(_ id: Int) -> Bool {
    (tokenTypes?[id] ?? TokenType.normal) == TokenType.normal
  }

  /// The pairs of tokens that make up `token`, by id.
  private func halves(
    of token: String, _ ids: [ByteString: Int]
  ) -> [(left: Int, right: Int)] {
    let bytes = Array(token.utf8)
    var pairs: [(left: Int, right: Int)] = []
    bytes.forEachScalar(in: bytes.indices) { _, range in
      let cut = range.upperBound
      if cut < bytes.count, let left = ids[ByteString(bytes[..<cut])],
        let right = ids[ByteString(bytes[cut...])]
      {
        pairs.append((left, right))
      }
    }
    return pairs.sorted { ($0.left, $0.right) < ($1.left, $1.right) }
  }
}
