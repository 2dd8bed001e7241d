import Kernels

/// Reads a prompt and continues it, token by token.
public struct Generation {
  private let model: Model
  /// What the model has read: after a run, the prompt and every generated token.
  public private(set) var state: DecodingState
  private var sampler: Sampler
  private let endTokens: Set<Int>

  /// A generation by `model` that goes on from `state` and stops at any of `endTokens`.
  public init(model: Model, state: DecodingState, sampler: Sampler, endTokens: Set<Int>) {
    self.model = model
    self.state = state
    self.sampler = sampler
    self.endTokens = endTokens
  }

  /// Reads `prompt` and generates up to `maxTokens` tokens, handing each to `emit`, which says whether
  /// to go on; stops at an end token, which is not among those returned. With an empty prompt what was
  /// read before is continued.
  ///
  /// - Parameter reading: called with the tokens of the prompt that were read, before each segment and
  ///   at the end.
  public mutating func run(
    prompt: [Int], maxTokens: Int, reading: ((Int) -> Void)? = nil, emit: (Int) -> Bool
  ) throws -> [Int] {
    _ = try model.extend(
      &state, with: prompt, lastOnly: true,
      observe: { layer, first, _ in if layer == 0 { reading?(first) } })
    reading?(prompt.count)
    var generated: [Int] = []
    while generated.count < maxTokens, let logits = try model.logits(after: state) {
      let token = withExtendedLifetime(logits) { sampler.choose(logits.elements) }
      if endTokens.contains(token) { break }
      generated.append(token)
      let goesOn = emit(token)
      _ = try model.extend(&state, with: [token])
      if !goesOn { break }
    }
    return generated
  }
}
