/// When a linear memory is emptied, to measure what it is worth; what the sinks left never is.
struct StateResets: Sendable {
  /// It is emptied before every token whose position is a multiple of this.
  let period: Int
  /// The first token's position.
  let position: Int
  /// What an emptied memory is; nil for zeros.
  let emptyMemory: [Float]?

  /// Empties `memory` if that is due before the token at `index`.
  func apply(to memory: inout [Float], before index: Int) {
    guard (position + index) % period == 0 else { return }
    memory = emptyMemory ?? [Float](repeating: 0, count: memory.count)
  }

  /// How many tokens from `index` on are read before the next reset.
  func run(from index: Int) -> Int { period - (position + index) % period }
}
