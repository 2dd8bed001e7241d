/// When a linear state is emptied, to measure what its memory is worth.
struct StateResets {
  /// It is emptied before every token whose position is a multiple of this.
  private let period: Int
  /// The first token's position.
  private let position: Int
  /// What an emptied state is; nil for zeros.
  private let emptyState: [Float]?

  /// The resets under `ablation`, if it asks for any; what the sinks left is never emptied.
  init?(_ ablation: Ablation?, passage: Passage) {
    guard case .state(let period) = ablation, !passage.areSinks else { return nil }
    self.period = period
    position = passage.position
    emptyState = passage.emptyState
  }

  /// Empties `state` if that is due before the token at `index`.
  func apply(to state: UnsafeMutableBufferPointer<Float>, before index: Int) {
    guard (position + index) % period == 0 else { return }
    if let emptyState {
      _ = state.update(fromContentsOf: emptyState)
    } else {
      state.update(repeating: 0)
    }
  }

  /// How many tokens from `index` on are read before the next reset.
  func run(from index: Int) -> Int { period - (position + index) % period }
}
