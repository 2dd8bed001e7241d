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
    try description.requireRows(for: tokens)
    var found: [Double] = []
    for first in stride(from: positions.lowerBound, to: positions.upperBound, by: Self.rowsAtOnce) {
      let part = first..<min(first + Self.rowsAtOnce, positions.upperBound)
      let logits = try logits(hidden, rows: part.lowerBound - 1..<part.upperBound - 1)
      for position in part {
        let row = position - first
        found.append(Double(logits[row][tokens[position]]) - logits.logSumExp(ofRow: row))
      }
    }
    return found
  }
}
