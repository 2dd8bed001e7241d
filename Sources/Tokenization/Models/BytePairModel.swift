import StrictJSON

/// Byte-pair encoding: a word's scalars are merged, best rank first, until nothing merges.
struct BytePairModel: Sendable {
  let vocabulary: Vocabulary
  let merges: MergeTable
  /// What stands for scalars that are in no token; without it they are dropped.
  let unknown: Int?
  /// Whether neighbouring unknown scalars become one unknown token.
  let fusesUnknown: Bool
  /// The ids of `<0x00>` … `<0xFF>`, if unknown scalars fall back to their bytes.
  let byteIDs: [Int?]?
  /// Whether a word that is a token is taken whole, whatever the merges say.
  let ignoresMerges: Bool

  /// A model of a vocabulary whose tokens have ranks.
  ///
  /// - Parameters:
  ///   - ranks: the ids that merges can make, with the rank of each.
  ///   - unknown: what stands for neighbouring scalars that are in no token.
  init(
    _ vocabulary: Vocabulary, ranks: [(id: Int, rank: Int)], unknown: Int? = nil,
    fallsBackToBytes: Bool = false, ignoresMerges: Bool = false
  ) {
    self.vocabulary = vocabulary
    merges = MergeTable(ranks: ranks, vocabulary: vocabulary)
    self.unknown = unknown
    fusesUnknown = true
    byteIDs = fallsBackToBytes ? ByteFallback.tokens.map(vocabulary.id(of:)) : nil
    self.ignoresMerges = ignoresMerges
  }

  /// Reads the member `model` of a tokenizer file.
  init(_ field: Field) throws(TokenizationError) {
    for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
      if let option = field.optional(key), option.value != "" {
        throw .unsupportedOption(
          path: option.path, value: option.value.compact, reason: "only null is")
      }
    }
    vocabulary = try Vocabulary(try field.member("vocab"))
    merges = try MergeTable(try field.member("merges"), vocabulary: vocabulary)
    fusesUnknown = try field.bool("fuse_unk", default: false)
    ignoresMerges = try field.bool("ignore_merges", default: false)
    byteIDs =
      try field.bool("byte_fallback", default: false)
      ? ByteFallback.tokens.map(vocabulary.id(of:)) : nil
    if let token = field.optional("unk_token") {
      guard let id = vocabulary.id(of: ByteString(try token.string)) else {
        throw .absentToken(path: token.path, token: try token.string)
      }
      unknown = id
    } else {
      unknown = nil
    }
  }
}
