import Kernels
import Runtime
import Streams

/// Tokens whose residual stream is far longer than that of others: later softmax layers use them as
/// attention sinks, so a refit must keep them, although they are few.
struct MassiveTokens {
  /// Indices into the text. The first token of every segment is one of them from the start: it
  /// becomes massive in most models, some layers further on.
  private(set) var indices: Set<Int>
  private let segments: Segments

  /// How much longer than the median of its segment a massive token is.
  private static let factor: Float = 16

  init(_ segments: Segments) {
    self.segments = segments
    indices = Set((0..<segments.count).map { segments.range(of: $0).lowerBound })
  }

  /// Adds the massive tokens of a segment by its stream [T, H].
  mutating func add(_ hidden: FloatMatrix, _ segment: Int) {
    let norms = RowDistances(hidden, from: hidden).squaredNorms
    let limit = MassiveTokens.factor * MassiveTokens.factor * norms.sorted()[norms.count / 2]
    for (token, norm) in zip(segments.range(of: segment), norms) where norm > limit {
      indices.insert(token)
    }
  }

  /// How many there are besides the first tokens of segments.
  var others: Int { indices.count - segments.count }
}
