import Architectures
package import Kernels

extension Model {
  /// Rows of logits held at a time: with a vocabulary of 150,000 they take 38 MB.
  private static let rowsAtOnce = 64

  /// Log-probabilities, in nats, of the tokens at `positions` (1 or later) of `tokens`, whose final
  /// hidden states are `hidden` [T, H].
  package func logProbabilities(
    of tokens: [Int], at positions: Range<Int>, hidden: FloatMatrix
  ) throws -> [Double] {
    try scores(of: tokens, at: positions, hidden: hidden).map(\.logProbability)
  }

  /// How the model sees a token.
  package struct TokenScore {
    /// Its log-probability in nats.
    package let logProbability: Double
    /// Whether no other is more probable.
    package let isGreedy: Bool
  }

  /// The same, with whether greedy decoding would have chosen each.
  package func scores(
    of tokens: [Int], at positions: Range<Int>, hidden: FloatMatrix
  ) throws -> [TokenScore] {
    try description.requireRows(for: tokens)
    var found: [TokenScore] = []
    for first in stride(from: positions.lowerBound, to: positions.upperBound, by: Self.rowsAtOnce) {
      let part = first..<min(first + Self.rowsAtOnce, positions.upperBound)
      let logits = try logits(hidden, rows: part.lowerBound - 1..<part.upperBound - 1)
      for position in part {
        let row = position - first, token = tokens[position]
        found.append(
          TokenScore(
            logProbability: Double(logits[row][token]) - logits.logSumExp(ofRow: row),
            isGreedy: logits.argmax(ofRow: row) == token))
      }
    }
    return found
  }
}
