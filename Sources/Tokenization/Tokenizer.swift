public import StrictJSON

/// Turns text into token ids and back, as the `tokenizers` library does with the same file.
///
/// Text passes: added tokens are cut out, the rest is normalised, split into words, and each
/// word is encoded by the model. Ids go back through the decoder.
public struct Tokenizer: Sendable {
  let normalizer: Normalizer
  let preTokenizer: PreTokenizer
  let model: WordModel
  let postProcessor: PostProcessor
  let decoder: Decoder
  /// The model's tokens and the added ones.
  let vocabulary: Vocabulary
  /// Tokens found in the text before the model sees it, by id.
  public let addedTokens: [AddedToken]

  let rawFinder: AddedTokenFinder
  let normalizedFinder: AddedTokenFinder
  let specialIDs: Set<Int>

  /// Reads a `tokenizer.json` document. Truncation and padding are ignored: they are for batches.
  public init(tokenizerJSON: JSONValue) throws(TokenizationError) {
    try self.init(tokenizerJSON: tokenizerJSON, listedElsewhere: [])
  }

  /// Reads a `tokenizer.json` document.
  /// - Parameter listedElsewhere: added tokens that stand in another file; the document's own count
  ///   where both have one.
  init(
    tokenizerJSON: JSONValue, listedElsewhere: [AddedToken]
  ) throws(TokenizationError) {
    let file = Field(tokenizerJSON)
    var added: [AddedToken] = []
    for element in try file.optional("added_tokens")?.elements ?? [] {
      added.append(try AddedToken(element))
    }
    let texts = Set(added.map(\.text)), ids = Set(added.map(\.id))
    added += listedElsewhere.filter { !texts.contains($0.text) && !ids.contains($0.id) }
    try self.init(
      normalizer: try Normalizer(file.optional("normalizer")),
      preTokenizer: try PreTokenizer(file.optional("pre_tokenizer")),
      model: try WordModel(try file.member("model")), addedTokens: added,
      postProcessor: try PostProcessor(file.optional("post_processor")),
      decoder: try Decoder(file.optional("decoder")))
  }

  /// A tokenizer of parts.
  init(
    normalizer: Normalizer, preTokenizer: PreTokenizer, model: WordModel,
    addedTokens: [AddedToken], postProcessor: PostProcessor, decoder: Decoder
  ) throws(TokenizationError) {
    self.normalizer = normalizer
    self.preTokenizer = preTokenizer
    self.model = model
    self.postProcessor = postProcessor
    self.decoder = decoder
    let added = addedTokens.filter { !$0.text.isEmpty }
    var all = model.vocabulary
    for token in added { try all.insert(ByteString(token.text), id: token.id) }
    vocabulary = all
    try postProcessor.check(all)
    self.addedTokens = added.sorted { $0.id < $1.id }
    specialIDs = Set(added.filter(\.isSpecial).map(\.id))
    rawFinder = AddedTokenFinder(
      added.filter { !$0.isNormalized }.map { ($0, ByteString($0.text)) })
    normalizedFinder = AddedTokenFinder(
      added.filter(\.isNormalized).map { token in
        (token, ByteString(normalizer.apply(to: Array(token.text.utf8), isStart: false)))
      })
  }

  /// The ids of a text.
  /// - Parameter addSpecialTokens: whether to add what the model expects around a text, such as
  ///   a token that marks its beginning. Special tokens written in the text always count.
  public func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int] {
    encode(utf8: Array(text.utf8), addSpecialTokens: addSpecialTokens)
  }

  /// The ids of a text given as bytes; each maximal invalid part of UTF-8 counts as U+FFFD.
  public func encode(
    bytes: some Sequence<UInt8>, addSpecialTokens: Bool = true
  ) -> [Int] {
    encode(utf8: bytes.repairedUTF8, addSpecialTokens: addSpecialTokens)
  }

  private func encode(utf8 bytes: [UInt8], addSpecialTokens: Bool) -> [Int] {
    var encoder = model.encoder
    var ids = addSpecialTokens ? postProcessor.prefix : []
    for raw in rawFinder.parts(of: bytes) {
      if let id = raw.id {
        ids.append(id)
        continue
      }
      let text = normalizer.apply(
        to: Array(bytes[raw.range]), isStart: raw.range.lowerBound == 0)
      for part in normalizedFinder.parts(of: text) {
        if let id = part.id {
          ids.append(id)
          continue
        }
        let isStart = raw.range.lowerBound == 0 && part.range.lowerBound == 0
        var pieces = Pieces(Array(text[part.range]), startsInput: isStart)
        preTokenizer.apply(to: &pieces)
        for word in pieces.ranges { encoder.encode(pieces.bytes, word, into: &ids) }
      }
    }
    return addSpecialTokens ? ids + postProcessor.suffix : ids
  }

  /// The text of ids. Ids that stand for no token are left out.
  public func decode(_ ids: some Sequence<Int>, skipSpecialTokens: Bool = false) -> String {
    let tokens = ids.compactMap { bytes(of: $0, skipSpecialTokens: skipSpecialTokens) }
    return String(decoding: decoder.bytes(of: tokens), as: UTF8.self)
  }

  /// The token of an id as decoding sees it; nil if it leaves it out.
  func bytes(of id: Int, skipSpecialTokens: Bool) -> [UInt8]? {
    if skipSpecialTokens, specialIDs.contains(id) { return nil }
    return vocabulary.token(of: id).map { Array($0.bytes) }
  }

  /// One more than the highest id: the rows an embedding table needs at least.
  public var vocabularySize: Int { vocabulary.size }

  /// The token with an id, as the file writes it; nil if there is none.
  public func token(of id: Int) -> String? { vocabulary.token(of: id)?.text }

  /// The id of a token as the file writes it; nil if there is none.
  public func id(of token: String) -> Int? { vocabulary.id(of: ByteString(token)) }

  /// The added tokens that decoding may leave out, by id.
  public var specialTokens: [AddedToken] { addedTokens.filter(\.isSpecial) }
}
