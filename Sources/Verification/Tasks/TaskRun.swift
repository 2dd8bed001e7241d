import Foundation
import Kernels
public import Runtime
import Tokenization

/// A model that answers the questions of a task.
public struct TaskRun {
  /// How a continuation is seen by the model.
  public struct Likelihood: Sendable {
    /// Sum of its tokens' log-probabilities in nats.
    public var logProbability = 0.0
    /// Whether greedy decoding would have written it.
    public var isGreedy = true
  }

  private let model: Model
  private let encoder: TaskEncoder
  private let endTokens: Set<Int>
  /// Texts so far that were too long and lost their beginning.
  public private(set) var truncated = 0

  /// A run of `model`, whose generations end at `endTokens`.
  public init(_ model: Model, encoder: TaskEncoder, endTokens: Set<Int>) {
    self.model = model
    self.encoder = encoder
    self.endTokens = endTokens
  }

  /// How likely each of `continuations` is after `context`. What they share is read once.
  ///
  /// - Parameter place: where the question stands, for errors.
  public mutating func likelihoods(
    of continuations: [String], after context: String, place: String
  ) throws -> [Likelihood] {
    let pairs = try continuations.map { try encoder.pair(context, $0, place: place) }
    for pair in pairs {
      if pair.isTruncated { truncated += 1 }
      try model.description.requireRows(for: pair.tokens, text: encoder.tokenizer.token(of:))
    }
    let shared = Self.sharedCount(pairs)
    var start = DecodingState(for: model.description)
    if let first = pairs.first {
      _ = try model.extend(&start, with: Array(first.tokens[..<shared]), lastOnly: true)
    }
    return try pairs.map { pair in
      var state = start
      let rest = Array(pair.tokens[shared...])
      let hidden = try model.extend(&state, with: Array(rest.dropLast()))
      let scores = try model.scores(
        of: rest, at: pair.contextCount - shared..<rest.count, hidden: hidden)
      return scores.reduce(into: Likelihood()) {
        $0.logProbability += $1.logProbability
        $0.isGreedy = $0.isGreedy && $1.isGreedy
      }
    }
  }

  /// How many tokens all pairs begin with, none of them the last of a context: what follows it is
  /// predicted from there.
  static func sharedCount(_ pairs: [TaskEncoder.Pair]) -> Int {
    guard let first = pairs.first else { return 0 }
    return pairs.reduce(first.contextCount - 1) { count, pair in
      let limit = min(count, pair.contextCount - 1)
      return zip(first.tokens[..<limit], pair.tokens).prefix { $0 == $1 }.count
    }
  }

  /// The text that greedy decoding writes after `prompt`, up to the first of `stops`.
  ///
  /// - Parameters:
  ///   - stops: texts that end an answer, none of them empty.
  ///   - maxTokens: most tokens that are generated, less than the encoder's `maximumLength`.
  ///   - place: where the question stands, for errors.
  public mutating func answer(
    to prompt: String, stops: [String], maxTokens: Int, place: String
  ) throws -> String {
    let (tokens, isTruncated) = try encoder.prompt(prompt, generated: maxTokens, place: place)
    if isTruncated { truncated += 1 }
    try model.description.requireRows(for: tokens, text: encoder.tokenizer.token(of:))
    let stops = stops + [encoder.endText].compactMap(\.self)
    var generation = Generation(
      model: model, state: DecodingState(for: model.description), sampler: Sampler(),
      endTokens: endTokens)
    var decoder = StreamingDecoder(encoder.tokenizer), text = ""
    _ = try generation.run(prompt: tokens, maxTokens: maxTokens) { token in
      text += decoder.append(token)
      return Self.cut(text, at: stops) == nil
    }
    text += decoder.finish()
    return Self.cut(text, at: stops) ?? text
  }

  /// The text before the first of `stops`; nil when it holds none.
  static func cut(_ text: String, at stops: [String]) -> String? {
    let starts = stops.compactMap { text.range(of: $0, options: .literal)?.lowerBound }
    return starts.min().map { String(text[..<$0]) }
  }
}
