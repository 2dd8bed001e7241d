import Architectures
public import Kernels
import Mixers

extension Model {
  /// Reads the next token of each of several texts, weights once for all of them; returns the final hidden
  /// states of these tokens [texts, H], normed and ready for the head.
  ///
  /// A text's numbers are those that `extend` gives it alone, within rounding.
  ///
  /// - Parameters:
  ///   - states: what was read of each text before; updated.
  ///   - tokens: an id below the vocabulary size for each.
  public func step(_ states: inout [DecodingState], with tokens: [Int]) throws -> FloatMatrix {
    precondition(states.count == tokens.count)
    try RuntimeError.requireLength(
      (states.map(\.position).max() ?? 0) + 1, within: longestText)
    let hidden = try embedding.rows(tokens[...])
    let emptied = try emptiedStates()
    var passages: [Passage] = []
    for (text, token) in tokens.enumerated() {
      if states[text].position == 0, description.sinkCount > 0 {
        states[text].layers = try sinkStates()
      }
      var passage = Passage(position: states[text].position)
      passage.tokens = [token]
      passages.append(passage)
    }
    let angles = passages.map {
      rotary.tables(first: description.sinkCount + $0.position, count: 1)
    }
    for layer in description.layers.indices {
      let weights = try weights(ofLayer: layer)
      for text in passages.indices { passages[text].emptyMemory = emptied?[layer].memory }
      try LayerRunner(weights: weights, model: description, ablation: ablation)
        .step(hidden, states: &states, passages: passages, angles: angles.map { $0[layer] })
      if case .bounded = residency { weights.discard() }
    }
    let result = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: finalNorm, epsilon: description.normEpsilon, into: result)
    for text in states.indices {
      states[text].position += 1
      states[text].last = Array(result[text])
    }
    return result
  }
}
