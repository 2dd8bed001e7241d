import StrictJSON

/// Which neighbouring tokens merge, into what, and in which order.
struct MergeTable: Sendable {
  struct Merge: Sendable {
    /// Lower ranks merge first.
    var rank: Int
    var id: Int
  }

  private var merges: [Pair: Merge] = [:]

  private struct Pair: Hashable {
    var left: Int
    var right: Int

    func hash(into hasher: inout Hasher) { hasher.combine(left << 32 | right) }
  }

  /// Reads merges in order of rank, written as `"a b"` or as `["a", "b"]`.
  init(_ field: Field, vocabulary: Vocabulary) throws(TokenizationError) {
    let elements = try field.elements
    guard elements.count <= TokenizationLimits.vocabularySize else {
      throw .tooLarge("list of merges", elements.count, limit: TokenizationLimits.vocabularySize)
    }
    merges.reserveCapacity(elements.count)
    for (rank, element) in elements.enumerated() {
      let (left, right) = try Self.halves(element, index: rank)
      func id(_ token: ArraySlice<UInt8>) throws(TokenizationError) -> Int {
        guard let id = vocabulary.id(of: ByteString(token)) else {
          throw .mergeOfAbsentToken(index: rank, token: String(decoding: token, as: UTF8.self))
        }
        return id
      }
      let pair = Pair(left: try id(left), right: try id(right))
      merges[pair] = Merge(rank: rank, id: try id(left + right))
    }
  }

  /// The merges of a vocabulary whose tokens have ranks: any two that together make a third merge at
  /// its rank, as SentencePiece and tiktoken merge. Tokens of one rank merge from the left.
  ///
  /// - Parameter ranks: the ids that take part, with the rank of each.
  init(ranks: [(id: Int, rank: Int)], vocabulary: Vocabulary) {
    let known = Set(ranks.map(\.id))
    func mergeable(_ token: ArraySlice<UInt8>) -> Int? {
      vocabulary.id(of: ByteString(token)).flatMap { known.contains($0) ? $0 : nil }
    }
    merges.reserveCapacity(2 * ranks.count)
    for (id, rank) in ranks {
      guard let bytes = vocabulary.token(of: id)?.bytes else { continue }
      for cut in bytes.indices.dropFirst() where bytes[cut] & 0xc0 != 0x80 {
        guard let left = mergeable(bytes[..<cut]), let right = mergeable(bytes[cut...]) else {
          continue
        }
        merges[Pair(left: left, right: right)] = Merge(rank: rank, id: id)
      }
    }
  }

  subscript(left: Int, right: Int) -> Merge? { merges[Pair(left: left, right: right)] }

  private static func halves(
    _ field: Field, index: Int
  ) throws(TokenizationError) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
    let halves: [ArraySlice<UInt8>]
    if field.value.array != nil {
      halves = try field.elements.map { element throws(TokenizationError) in
        Array(try element.string.utf8)[...]
      }
    } else {
      halves = Array(try field.string.utf8).split(
        separator: 0x20, omittingEmptySubsequences: false)
    }
    guard halves.count == 2 else {
      throw .malformedMerges(line: index + 1, text: field.value.compact)
    }
    return (halves[0], halves[1])
  }
}
