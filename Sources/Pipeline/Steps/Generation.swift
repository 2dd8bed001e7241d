import Runtime

/// Reads a prompt and continues it.
struct Generation {
  let model: Model
  var state: DecodingState
  var sampler: Sampler
  let endTokens: Set<Int>

  /// Generates up to `maxTokens` tokens, handing each to `emit`, which says whether to go on; stops
  /// at an end token.
  ///
  /// Afterwards the state has read the prompt and every emitted token.
  mutating func run(
    prompt: [Int], maxTokens: Int, emit: (Int) -> Bool
  ) throws -> [Int] {
    var hidden = try model.extend(&state, with: prompt)
    var generated: [Int] = []
    while generated.count < maxTokens {
      let logits = try model.logits(hidden, rows: hidden.rows - 1..<hidden.rows)
      let token = withExtendedLifetime(logits) { sampler.choose(logits.elements) }
      if endTokens.contains(token) { break }
      generated.append(token)
      let goesOn = emit(token)
      hidden = try model.extend(&state, with: [token])
      if !goesOn { break }
    }
    return generated
  }
}
