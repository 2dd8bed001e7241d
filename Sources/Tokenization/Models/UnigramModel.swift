import StrictJSON

/// A Unigram model: a word is cut into the pieces whose scores have the best sum.
struct UnigramModel: Sendable {
  let vocabulary: Vocabulary
  /// The logarithm of each piece's probability, by id.
  let scores: [Double]
  /// What stands for scalars that are in no piece.
  let unknown: Int
  /// The score of an unknown scalar.
  let unknownScore: Double
  /// The ids of `<0x00>` … `<0xFF>`, if unknown text falls back to its bytes and all are there.
  let byteIDs: [Int?]?
  /// The ids of the pieces in the order of their bytes.
  let sorted: [Int32]
  /// Which of `sorted` begin with each byte.
  let first: [Range<Int>]

  /// Where the two libraries that run such models differ.
  let rules: Rules

  /// Whose arithmetic and whose unknown text.
  enum Rules: Sendable {
    /// Sums in float64; unknown scalars that were put together can spell a piece.
    case tokenizers
    /// The sum of a path is rounded to float32 at each piece, and begins anew when it is beyond
    /// `highestSum`.
    case sentencePiece
  }

  /// How much worse than the worst piece an unknown scalar is, as both libraries have it.
  static let unknownPenalty = 10.0

  /// The most that the sum of a path may be in the arithmetic of SentencePiece.
  static let highestSum = 100_000.0

  /// Reads the member `model` of a tokenizer file.
  init(_ field: Field) throws(TokenizationError) {
    try field.expectOnly(["type", "unk_id", "vocab", "byte_fallback"])
    let entries = try field.member("vocab").elements
    guard entries.count <= TokenizationLimits.vocabularySize else {
      throw .tooLarge("vocabulary", entries.count, limit: TokenizationLimits.vocabularySize)
    }
    var pieces: [String] = []
    var scores: [Double] = []
    for entry in entries {
      let pair = try entry.elements
      guard pair.count == 2, let score = pair[1].value.double, score.isFinite else {
        throw .wrongType(
          path: entry.path, expected: "a piece and its score", found: entry.value.compact)
      }
      let piece = try pair[0].string
      guard piece.utf8.count <= TokenizationLimits.pieceBytes else {
        throw .tooLarge(
          "piece at \(entry.path)", piece.utf8.count, limit: TokenizationLimits.pieceBytes)
      }
      pieces.append(piece)
      scores.append(score)
    }
    let unknown = try field.member("unk_id")
    let unknownID = try unknown.int
    guard pieces.indices.contains(unknownID) else {
      throw .idOfNoToken(id: unknownID, path: unknown.path)
    }
    let vocabulary = try Vocabulary(pieces)
    self.init(
      vocabulary, scores: scores, pieces: Array(pieces.indices), unknown: unknownID,
      unknownScore: (scores.min() ?? 0) - Self.unknownPenalty,
      fallsBackToBytes: try field.bool("byte_fallback", default: false), rules: .tokenizers)
  }

  /// A model of pieces with scores.
  ///
  /// - Parameter pieces: the ids of those that texts are cut into.
  init(
    _ vocabulary: Vocabulary, scores: [Double], pieces: [Int], unknown: Int, unknownScore: Double,
    fallsBackToBytes: Bool, rules: Rules
  ) {
    self.vocabulary = vocabulary
    self.scores = scores
    self.unknown = unknown
    self.unknownScore = unknownScore
    self.rules = rules
    byteIDs = fallsBackToBytes ? ByteFallback.tokens.map(vocabulary.id(of:)) : nil
    let bytes = pieces.compactMap { id in
      vocabulary.token(of: id).flatMap { $0.count == 0 ? nil : (id: id, bytes: $0.bytes) }
    }
    let order = bytes.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    sorted = order.map { Int32(truncatingIfNeeded: $0.id) }
    var first = [Range<Int>](repeating: 0..<0, count: 256)
    for (index, piece) in order.enumerated() {
      let byte = Int(piece.bytes[piece.bytes.startIndex])
      first[byte] = (first[byte].isEmpty ? index : first[byte].lowerBound)..<index + 1
    }
    self.first = first
  }

  /// Calls `body` with each piece that the text from `start` on begins with, shortest first.
  func forEachPiece(
    in bytes: [UInt8], from start: Int, to end: Int, _ body: (_ id: Int, _ length: Int) -> Void
  ) {
    var range = first[Int(bytes[start])]
    var length = 1
    while !range.isEmpty {
      // All of `range` share `length` bytes with the text; the shortest of them comes first.
      let id = Int(sorted[range.lowerBound])
      if vocabulary.token(of: id)?.count == length {
        body(id, length)
        range = range.lowerBound + 1..<range.upperBound
      }
      guard start + length < end else { return }
      let byte = bytes[start + length]
      let low = bound(range) { $0 < byte }
      let high = bound(low..<range.upperBound) { $0 <= byte }
      range = low..<high
      length += 1

      /// The first of the pieces whose next byte does not satisfy `condition`.
      func bound(_ range: Range<Int>, _ condition: (UInt8) -> Bool) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
          let middle = (low + high) / 2
          if condition(next(middle)) { low = middle + 1 } else { high = middle }
        }
        return low
      }

      func next(_ index: Int) -> UInt8 {
        guard let piece = vocabulary.token(of: Int(sorted[index]))?.bytes else { return 0 }
        return piece[piece.startIndex + length]
      }
    }
  }
}
