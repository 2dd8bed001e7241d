import StrictJSON

extension Tokenizer {
  /// The classes whose ids are those of the model file; a final `Fast` is left out. Others (T5,
  /// XLM-RoBERTa, …) count their own.
  private static let sentencePieceClasses = [
    "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "BaichuanTokenizer",
    "InternLMTokenizer", "InternLM2Tokenizer", "InternLM3Tokenizer", "YiTokenizer",
    "MiniCPMTokenizer", "OrionTokenizer", "PreTrainedTokenizer", "TokenizersBackend",
    "MistralCommonTokenizer", "MistralCommonBackend",
  ]

  /// A tokenizer of SentencePiece: BPE or Unigram, ids as the library gives them. Control tokens
  /// count when they are written in the text, as they do in `transformers`.
  ///
  /// - Parameters:
  ///   - model: the file `tokenizer.model`.
  ///   - config: `tokenizer_config.json`: its class, which tokens begin and end a text, and added
  ///     tokens.
  ///   - added: further added tokens.
  init(
    sentencePiece model: SentencePieceFile, config: Field, added: [AddedToken]
  ) throws(TokenizationError) {
    try Self.checkClass(config)
    let vocabulary = try Vocabulary(model.pieces.map(\.text))
    let special = model.pieces.enumerated().compactMap { id, piece in
      [.control, .unknown].contains(piece.kind)
        ? AddedToken(piece.text, id: id, isSpecial: true) : nil
    }
    var userDefined = model.pieces.enumerated().compactMap { id, piece in
      piece.kind == .userDefined ? AddedToken(piece.text, id: id, isSpecial: false) : nil
    }
    let listed = Set(added.map(\.id))
    let kept = AddedTokenFinder(
      userDefined.filter { !listed.contains($0.id) }.map { ($0, ByteString($0.text)) })
    var rules = SentencePieceNormalizer(rules: model.normalization, kept: kept)
    rules.marksEveryPart = try config.bool("legacy", default: false)
    if let prefix = config.optional("add_prefix_space") { rules.rules.addsMark = try prefix.bool }
    let words: WordModel
    switch model.algorithm {
    case .bytePair:
      words = .bytePair(try Self.bytePair(model, vocabulary))
      // They are cut out of the normalised text, as the library does.
      for index in userDefined.indices { userDefined[index].isNormalized = true }
    case .unigram:
      words = .unigram(Self.unigram(model, vocabulary))
      userDefined = []
    case .word, .character:
      throw .unsupportedComponent(
        path: "trainer_spec.model_type", type: "\(model.algorithm)",
        supported: ["unigram", "bytePair"])
    }
    var postProcessor = PostProcessor()
    if let id = try Self.role("bos", model.beginID, model, config, default: true, added) {
      postProcessor.prefix = [id]
    }
    if let id = try Self.role("eos", model.endID, model, config, default: false, added) {
      postProcessor.suffix = [id]
    }
    try self.init(
      normalizer: Normalizer(steps: [.sentencePiece(rules)]), preTokenizer: PreTokenizer(),
      model: words,
      addedTokens: (special + userDefined).filter { !listed.contains($0.id) } + added,
      postProcessor: postProcessor, decoder: try Self.decoder(rules.rules))
  }

  private static func checkClass(_ config: Field) throws(TokenizationError) {
    guard let name = config.optional("tokenizer_class") else { return }
    let text = try name.string
    let family = text.hasSuffix("Fast") ? String(text.dropLast(4)) : text
    guard sentencePieceClasses.contains(family) else {
      throw .unsupportedComponent(path: name.path, type: text, supported: sentencePieceClasses)
    }
  }

  private static func bytePair(
    _ model: SentencePieceFile, _ vocabulary: Vocabulary
  ) throws(TokenizationError) -> BytePairModel {
    if let index = model.pieces.firstIndex(where: { $0.kind == .unused }) {
      throw .unsupportedOption(
        path: "pieces[\(index)].type", value: "UNUSED",
        reason: "pieces that are cut again are known of Unigram models only")
    }
    let ids = model.pieces.indices.filter {
      [.normal, .userDefined].contains(model.pieces[$0].kind)
    }
    // The best score merges first; equal ones are one rank.
    let ordered = ids.sorted { (-model.pieces[$0].score, $0) < (-model.pieces[$1].score, $1) }
    var ranks: [(id: Int, rank: Int)] = []
    ranks.reserveCapacity(ordered.count)
    for id in ordered {
      let previous = ranks.last
      let isTied = previous.map { model.pieces[$0.id].score == model.pieces[id].score } ?? false
      ranks.append((id, isTied ? previous?.rank ?? 0 : ranks.count))
    }
    return BytePairModel(
      vocabulary, ranks: ranks, unknown: model.unknownID,
      fallsBackToBytes: model.fallsBackToBytes)
  }

  private static func unigram(
    _ model: SentencePieceFile, _ vocabulary: Vocabulary
  ) -> UnigramModel {
    let least = model.pieces.lazy.filter { $0.kind == .normal }.map(\.score).min() ?? 0
    // What users defined is worth more than any text cut into pieces, whose scores are negative.
    let scores = model.pieces.map { piece in
      piece.kind == .userDefined
        ? Double(Float(0.1 * Double(piece.text.utf8.count - 1))) : Double(piece.score)
    }
    return UnigramModel(
      vocabulary, scores: scores,
      pieces: model.pieces.indices.filter {
        [.normal, .userDefined].contains(model.pieces[$0].kind)
      },
      unknown: model.unknownID,
      unknownScore: Double(least - Float(UnigramModel.unknownPenalty)),
      fallsBackToBytes: model.fallsBackToBytes, rules: .sentencePiece)
  }

  /// The id of the token that begins (or ends) a text, if one is added.
  private static func role(
    _ name: String, _ id: Int, _ model: SentencePieceFile, _ config: Field, default adds: Bool,
    _ added: [AddedToken]
  ) throws(TokenizationError) -> Int? {
    guard try config.bool("add_\(name)_token", default: adds) else { return nil }
    if let token = config.optional("\(name)_token") {
      let text = try (token.optional("content") ?? token).string
      let id =
        added.first { $0.text == text }?.id ?? model.pieces.firstIndex { $0.text == text }
      guard let id else { throw .absentToken(path: token.path, token: text) }
      return id
    }
    return model.pieces.indices.contains(id) ? id : nil
  }

  private static func decoder(
    _ rules: SentencePieceNormalizer.Rules
  ) throws(TokenizationError) -> Decoder {
    let mark = try Pattern(literal: "▁", path: "decoder")
    var steps: [Decoder.Step] = [.replace(mark, with: [0x20]), .byteFallback, .fuse]
    if rules.addsMark, !rules.marksEnd { steps.append(.strip(" ", start: 1, stop: 0)) }
    return Decoder(steps: steps)
  }
}
