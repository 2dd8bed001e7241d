import Runtime

/// Tokens whose residual stream is far longer than that of others: later softmax layers use them as
/// attention sinks, so a refit must keep them, although they are few.
struct MassiveTokens {
  /// Indices into the text. The first token of every segment is one of them from the start: it
  /// becomes massive in most models, some layers further on.
  private(set) var indices: Set<Int>
  private let firstTokens: Int

  /// How much longer than the median of its segment a massive token is.
  private static let factor: Float = 16

  init(_ segments: Segments) {
    indices = Set((0..<segments.count).map { segments.firstToken(of: $0) })
    firstTokens = indices.count
  }

  /// Adds the massive tokens of a segment: its stream [T, H], the first token being `first`.
  mutating func add(_ hidden: FloatMatrix, at first: Int) {
    let norms = RowDistances(hidden, from: hidden).squaredNorms
    let limit = MassiveTokens.factor * MassiveTokens.factor * norms.sorted()[norms.count / 2]
    for (row, norm) in norms.enumerated() where norm > limit { indices.insert(first + row) }
  }

  /// How many there are besides the first tokens of segments.
  var others: Int { indices.count - firstTokens }
}
