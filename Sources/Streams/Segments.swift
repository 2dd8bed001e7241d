package import Communication
package import Kernels
import Runtime

/// A text cut into segments, each read from an empty state, the last tenth held out; and which
/// segments are those of this process: it alone reads and writes their streams.
package struct Segments {
  /// The tokens of all segments, one after the other.
  package let tokens: [Int]
  /// Tokens of the longest segment; whole segments of a text are of one length.
  package let length: Int
  /// The processes that share the text.
  package let ranks: Communicator
  /// The first token of each segment, and the end of the last.
  private let bounds: [Int]

  /// Pieces of text as they are, for one process.
  package init(_ pieces: [[Int]], ranks: Communicator = .single) {
    tokens = Array(pieces.joined())
    length = pieces.map(\.count).max() ?? 0
    self.ranks = ranks
    bounds = pieces.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  /// Whole segments of `length` tokens, of the first `limit` of `tokens`; throws when there are less
  /// than four.
  package init(
    of tokens: [Int], limit: Int = .max, length: Int, ranks: Communicator = .single
  ) throws(StreamError) {
    let count = min(limit, tokens.count) / length
    guard count >= 4 else { throw .tooFewTokens(tokens.count, needed: 4 * length) }
    self.init(
      (0..<count).map { Array(tokens[$0 * length..<($0 + 1) * length]) }, ranks: ranks)
  }

  /// How many there are.
  package var count: Int { bounds.count - 1 }

  /// Segments for choosing and judging what was fitted on the others.
  package var heldOut: Range<Int> { (count - max(1, min(count / 10, 16)))..<count }
  /// The others.
  package var training: Range<Int> { 0..<heldOut.lowerBound }

  /// Where a segment lies in the text.
  package func range(of segment: Int) -> Range<Int> { bounds[segment]..<bounds[segment + 1] }

  /// Where consecutive segments lie in the text.
  package func tokens(of segments: Range<Int>) -> Range<Int> {
    bounds[segments.lowerBound]..<bounds[segments.upperBound]
  }

  /// The tokens of a segment.
  package subscript(segment: Int) -> ArraySlice<Int> { tokens[range(of: segment)] }

  /// Those of this process among `segments`, which may name one more than once.
  package func own(_ segments: some Sequence<Int>) -> [Int] {
    segments.filter { $0 % ranks.size == ranks.rank }
  }

  /// Takes the segments of this process, those among `chosen` or all, from one stream to another:
  /// each is read, changed in place by `change`, which is told its number, and written; without
  /// `next` it is only read.
  package func advance(
    _ stream: HiddenStream, to next: HiddenStream? = nil, only chosen: Range<Int>? = nil,
    _ change: (_ hidden: FloatMatrix, _ segment: Int) throws -> Void
  ) throws {
    for segment in own(chosen ?? 0..<count) {
      let range = range(of: segment)
      let hidden = try stream.read(range)
      try change(hidden, segment)
      try next?.write(hidden, at: range.lowerBound)
    }
  }
}
