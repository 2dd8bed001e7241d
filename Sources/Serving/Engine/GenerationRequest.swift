/// A text that is to be continued.
package struct GenerationRequest: Sendable {
  /// The tokens to go on from, at least one.
  package var tokens: [Int]
  /// Most tokens to generate; 0 only reads.
  package var maxTokens: Int
  /// 0 is greedy; 1 samples from the model's distribution.
  package var temperature = 0.0
  /// Only the most likely tokens whose probabilities sum to this are sampled.
  package var topP = 1.0
  /// Seed of the sampler.
  package var seed: UInt64 = 0
  /// Texts before the first of which the answer ends.
  package var stops: [String] = []
  /// How many tokens are told beside each, with their log-probabilities; nil for neither.
  package var alternatives: Int?
  /// Whether the prompt's own tokens are scored. It is then read from its beginning.
  package var scoresPrompt = false
  /// Whose states it may go on from, and who may go on from its own.
  package var scope = StateStore.openScope

  package init(tokens: [Int], maxTokens: Int) {
    self.tokens = tokens
    self.maxTokens = maxTokens
  }
}

/// A token, and how the model saw it.
package struct ScoredToken: Sendable {
  /// Its id.
  package var id: Int
  /// Its log-probability in nats; nil where it was not asked for, and for the first of a text.
  package var logProbability: Double?
  /// The most likely tokens in its place, the likeliest first.
  package var alternatives: [Alternative] = []

  /// A token that might have stood there.
  package struct Alternative: Sendable {
    package var id: Int
    package var logProbability: Double
  }
}

/// What happens to a text, in this order: its prompt is scored, tokens come, it ends one way or other.
package enum GenerationEvent: Sendable {
  /// How the model saw the tokens of the prompt.
  case prompt([ScoredToken])
  /// The next token, and the text that can be told since: often none, within a character or where a
  /// stop may begin.
  case token(ScoredToken, text: String)
  /// It ended well.
  case finished(GenerationResult)
  /// It was given up.
  case failed(any Error)
}

/// How a text ended, and what it took.
package struct GenerationResult: Sendable {
  /// Why it ended.
  package enum Reason: String, Sendable {
    /// At an end token or before a stop.
    case stop
    /// It has as many tokens as it may.
    case length
  }

  package var reason: Reason
  /// What of the text was still held back.
  package var rest: String
  /// Tokens of the prompt.
  package var promptTokens: Int
  /// Those of them that a kept state had read already.
  package var cachedTokens: Int
  /// Tokens that were generated, an end token not counted.
  package var generatedTokens: Int
  /// Bytes of the state after it.
  package var stateBytes: Int
  /// Seconds until the prompt was read, and until the end; both from when it was taken up.
  package var promptSeconds: Double
  package var seconds: Double
}
