import Foundation
import StrictJSON

/// Byte strings with the rank at which each is merged, as tiktoken and Mistral's tekken hold them.
struct RankedVocabulary {
  /// By rank.
  private(set) var tokens: [[UInt8]] = []
  private let file: String

  init(file: String) { self.file = file }

  /// Adds the token of the next rank, written in base64.
  mutating func append(_ base64: String, rank: Int?) throws(TokenizationError) {
    guard rank == tokens.count, rank ?? 0 < TokenizationLimits.vocabularySize else {
      throw .malformed(
        file: file,
        reason: "rank \(rank.map(String.init) ?? "missing") where \(tokens.count) is due")
    }
    guard let bytes = Data(base64Encoded: base64), !bytes.isEmpty else {
      throw .malformed(file: file, reason: "token \(tokens.count) is not in base64")
    }
    tokens.append(Array(bytes))
  }

  /// Reads lines of a token in base64 and its rank.
  init(lines bytes: [UInt8], file: String) throws(TokenizationError) {
    self.file = file
    for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
      let parts = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
      guard parts.count == 2 else {
        throw .malformed(file: file, reason: "line \(tokens.count + 1) is no token and its rank")
      }
      try append(parts[0], rank: Int(parts[1]))
    }
  }

  /// Whether a file begins as such lines do.
  static func isLines(_ bytes: [UInt8]) -> Bool {
    let line = bytes.prefix(TokenizationLimits.pieceBytes).prefix { $0 != 0x0a }
    let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
    return parts.count == 2 && parts[1].allSatisfy { (0x30...0x39).contains($0) || $0 == 0x0d }
      && Data(base64Encoded: String(decoding: parts[0], as: UTF8.self)) != nil
  }
}

extension Tokenizer {
  /// A tokenizer of ranks: what two neighbours make merges, the lowest rank first, and a word that is
  /// a token is taken whole.
  ///
  /// - Parameters:
  ///   - preset: how text is split.
  ///   - firstID: the id of rank 0.
  ///   - begin: the ids in front of every text.
  init(
    ranks: RankedVocabulary, preset: PreTokenizerPreset, firstID: Int = 0,
    special: [AddedToken], begin: [Int] = []
  ) throws(TokenizationError) {
    var vocabulary = Vocabulary()
    for (rank, token) in ranks.tokens.enumerated() {
      let letters = token.flatMap { ByteAlphabet.encoded[Int($0)] }
      try vocabulary.insert(ByteString(letters), id: firstID + rank)
    }
    for byte in UInt8.min...UInt8.max
    where vocabulary.id(of: ByteString(ByteAlphabet.encoded[Int(byte)])) == nil {
      throw .absentToken(path: "the ranks", token: "byte \(byte)")
    }
    var postProcessor = PostProcessor()
    postProcessor.prefix = begin
    try self.init(
      normalizer: try Normalizer(Field(preset.normalizer).present),
      preTokenizer: try PreTokenizer(Field(preset.preTokenizer, path: "pre_tokenizer")),
      model: .bytePair(
        BytePairModel(
          vocabulary, ranks: ranks.tokens.indices.map { (firstID + $0, $0) },
          ignoresMerges: true)),
      addedTokens: special, postProcessor: postProcessor, decoder: Decoder(steps: [.byteAlphabet]))
  }

  /// Qwen's first form, `qwen.tiktoken`: its special tokens stand in its code only.
  init(qwen bytes: [UInt8], file: String) throws(TokenizationError) {
    let ranks = try RankedVocabulary(lines: bytes, file: file)
    let names =
      ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + (0..<205).map { "<|extra_\($0)|>" }
    try self.init(
      ranks: ranks, preset: .qwen2,
      special: names.enumerated().map {
        AddedToken($0.element, id: ranks.tokens.count + $0.offset, isSpecial: true)
      })
  }

  /// Mistral's `tekken.json`: special tokens come first, then as many ranks as fill the vocabulary.
  init(tekken document: JSONValue) throws(TokenizationError) {
    let file = Field(document)
    let config = try file.member("config")
    let size = try config.member("default_vocab_size").int
    let specials = try config.member("default_num_special_tokens").int
    guard specials > 0, specials < size, size <= TokenizationLimits.vocabularySize else {
      throw .idOutOfRange(token: "special", id: specials, limit: size)
    }
    var ranks = RankedVocabulary(file: "tekken.json")
    let entries = try file.member("vocab").elements
    guard entries.count >= size - specials else {
      throw .wrongType(
        path: "vocab", expected: "\(size - specials) tokens", found: "\(entries.count)")
    }
    for entry in entries.prefix(size - specials) {
      try ranks.append(
        try entry.member("token_bytes").string, rank: try entry.member("rank").int)
    }
    let pattern = try config.member("pattern").string
    let names = try Self.tekkenSpecials(file, count: specials)
    guard let begin = names.firstIndex(of: "<s>") else {
      throw .absentToken(path: "special_tokens", token: "<s>")
    }
    try self.init(
      ranks: ranks, preset: PreTokenizerPreset([], patterns: [pattern]), firstID: specials,
      special: names.enumerated().map { AddedToken($0.element, id: $0.offset, isSpecial: true) },
      begin: [begin])
  }

  /// The special tokens by id; files of the first version leave them out.
  private static func tekkenSpecials(
    _ file: Field, count: Int
  ) throws(TokenizationError) -> [String] {
    var names = (0..<count).map { "<SPECIAL_\($0)>" }
    guard let listed = file.optional("special_tokens") else {
      let first = [
        "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
        "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
        "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
        "[TOOL_CONTENT]",
      ]
      return first + names.dropFirst(first.count)
    }
    for entry in try listed.elements {
      let id = try entry.member("rank").int, name = try entry.member("token_str").string
      guard names.indices.contains(id) else {
        throw .idOutOfRange(token: name, id: id, limit: count)
      }
      names[id] = name
    }
    return names
  }
}
