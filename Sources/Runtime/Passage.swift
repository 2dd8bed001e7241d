/// The tokens that pass through a layer together.
package struct Passage {
  /// Their ids; empty when they are not known, which only orders equally likely experts.
  package var tokens: [Int] = []
  /// The first token's position in the text.
  package var position: Int
  /// Whether they are the sinks before the text.
  package var areSinks = false
  /// What `Ablation.state` puts in the place of a linear memory: that after the sinks; nil for zeros.
  var emptyMemory: [Float]?
  /// Told which experts the tokens are sent to.
  package var observeRouting: ((Routing) -> Void)?

  /// Tokens from `position` on, or the sinks before them.
  package init(position: Int, areSinks: Bool = false) {
    self.position = position
    self.areSinks = areSinks
  }

  /// Token id + position of `count` tokens, sinks counted as positions.
  package func offsets(count: Int, sinkCount: Int) -> [Int] {
    let first = areSinks ? 0 : sinkCount + position
    return (0..<count).map { first + $0 + (tokens.isEmpty ? 0 : tokens[$0]) }
  }
}
