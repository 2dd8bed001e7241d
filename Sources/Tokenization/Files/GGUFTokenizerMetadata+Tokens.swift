import StrictJSON

extension GGUFTokenizerMetadata {
  /// The values of `tokenizer.ggml.token_type` that matter here.
  private enum TokenType {
    static let normal = 1
    static let unknown = 2
    static let control = 3
    static let userDefined = 4
  }

  /// Control tokens, the unknown token and the ids with a role are special; tokens that users
  /// defined are looked for in the text but are ordinary otherwise.
  func addedTokens() throws(TokenizationError) -> [JSONValue] {
    let roles = Set([bosID, eosID, unknownID, paddingID, eotID].compactMap(\.self))
    for id in roles where !tokens.indices.contains(id) {
      throw .idOutOfRange(token: "special", id: id, limit: tokens.count)
    }
    return tokens.enumerated().compactMap { id, token in
      let type = tokenTypes?[id] ?? TokenType.normal
      let special =
        type == TokenType.control || type == TokenType.unknown || roles.contains(id)
      guard special || type == TokenType.userDefined else { return nil }
      return TokenizerDocument.addedToken(token, id: id, special: special)
    }
  }

  /// Merges for a vocabulary that has scores only: SentencePiece joins the two neighbours whose
  /// union has the best score, so every way to make a token of two others is a merge, and the
  /// better token's come first.
  func derivedMerges() throws(TokenizationError) -> [JSONValue] {
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
