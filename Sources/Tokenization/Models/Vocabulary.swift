import StrictJSON

/// Tokens and their ids. Ids may have gaps; no id and no token appears twice.
struct Vocabulary: Sendable {
  private var ids: [ByteString: Int] = [:]
  /// By id; nil where there is a gap.
  private var tokens: [ByteString?] = []

  init() {}

  /// Reads an object of tokens and ids.
  init(_ field: Field) throws(TokenizationError) {
    let members = try field.object.members
    guard members.count <= TokenizationLimits.vocabularySize else {
      throw .tooLarge("vocabulary", members.count, limit: TokenizationLimits.vocabularySize)
    }
    ids.reserveCapacity(members.count)
    tokens.reserveCapacity(members.count)
    for (token, id) in members {
      guard let id = id.int else {
        throw .wrongType(path: "\(field.path).\(token)", expected: "an id", found: id.compact)
      }
      try insert(ByteString(token), id: id)
    }
  }

  /// Reads a list of tokens in the order of their ids.
  init(_ list: [String]) throws(TokenizationError) {
    ids.reserveCapacity(list.count)
    tokens.reserveCapacity(list.count)
    for (id, token) in list.enumerated() { try insert(ByteString(token), id: id) }
  }

  /// One more than the highest id: what an embedding table must hold.
  var size: Int { tokens.count }

  /// The number of tokens, gaps not counted.
  var count: Int { ids.count }

  func id(of token: ByteString) -> Int? { ids[token] }

  func token(of id: Int) -> ByteString? {
    tokens.indices.contains(id) ? tokens[id] : nil
  }

  /// All tokens with their ids, by id.
  var entries: some Sequence<(token: ByteString, id: Int)> {
    tokens.enumerated().lazy.compactMap { id, token in token.map { ($0, id) } }
  }

  /// Adds a token; adding it again with the same id changes nothing.
  mutating func insert(_ token: ByteString, id: Int) throws(TokenizationError) {
    guard token.count <= TokenizationLimits.tokenBytes else {
      throw .tooLarge("token with id \(id)", token.count, limit: TokenizationLimits.tokenBytes)
    }
    guard (0..<TokenizationLimits.vocabularySize).contains(id) else {
      throw .idOutOfRange(
        token: token.text, id: id, limit: TokenizationLimits.vocabularySize)
    }
    if let other = ids[token] {
      if other != id { throw .tokenTaken(token: token.text, first: other, second: id) }
      return
    }
    if let other = self.token(of: id) {
      throw .idTaken(id: id, first: other.text, second: token.text)
    }
    while tokens.count <= id { tokens.append(nil) }
    tokens[id] = token
    ids[token] = id
  }
}
