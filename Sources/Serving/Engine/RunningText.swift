import Foundation
import Kernels
import Runtime
import Synchronization
import Tokenization

/// By whom a request that was handed in can be withdrawn.
package final class Ticket: Sendable {
  private let withdrawn = Atomic(false)
  private let wake: @Sendable () -> Void

  init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

  /// Withdraws the request: nothing more is told of it, and its place is free.
  package func cancel() {
    withdrawn.store(true, ordering: .releasing)
    wake()
  }

  var isCancelled: Bool { withdrawn.load(ordering: .acquiring) }
}

/// A request that waits.
struct WaitingText: Sendable {
  let request: GenerationRequest
  let ticket: Ticket
  let deadline: Date
  let arrived: Date
  let tell: @Sendable (GenerationEvent) -> Void
}

/// A text that is being read or continued. It belongs to the engine's thread.
final class RunningText {
  let waiting: WaitingText
  /// What has been read; nil while a step has it.
  var state: DecodingState?
  /// The prompt and what was generated.
  private(set) var tokens: [Int]
  /// Tokens of the prompt that are read.
  var read: Int
  let cached: Int
  var promptScores: [ScoredToken] = []
  private var generated = 0
  private var sampler: Sampler
  private var decoder: StreamingDecoder
  private var matcher: StopMatcher
  private let started = Date()
  private var promptRead: Date?

  var request: GenerationRequest { waiting.request }
  /// Whether tokens of the prompt are still to be read.
  var isReading: Bool { read < request.tokens.count }

  init(_ waiting: WaitingText, state: DecodingState, read: Int, tokenizer: Tokenizer) {
    let request = waiting.request
    self.waiting = waiting
    self.state = state
    self.read = read
    cached = read
    tokens = request.tokens
    sampler = Sampler(temperature: request.temperature, topP: request.topP, seed: request.seed)
    decoder = StreamingDecoder(tokenizer)
    matcher = StopMatcher(request.stops)
  }

  /// Notes that the prompt is read; returns the seconds since the request arrived.
  func notePromptRead() -> Double {
    let now = Date()
    promptRead = now
    return now.timeIntervalSince(waiting.arrived)
  }

  /// Takes the next token from its logits, row `row` [V], and tells it; returns the token to read
  /// next, or why there is none.
  func take(_ logits: FloatMatrix, row: Int, endTokens: Set<Int>, limit: Int) -> Next {
    let token = sampler.choose(logits[row])
    if endTokens.contains(token) { return .ended(.stop) }
    tokens.append(token)
    generated += 1
    let text = matcher.append(decoder.append(token))
    waiting.tell(
      .token(
        logits.scored(token, row: row, alternatives: request.alternatives), text: text))
    if matcher.hasStopped { return .ended(.stop) }
    return generated < min(request.maxTokens, limit) ? .read(token) : .ended(.length)
  }

  /// What follows a token.
  enum Next {
    case read(Int)
    case ended(GenerationResult.Reason)
  }

  /// How it ended.
  func result(_ reason: GenerationResult.Reason) -> GenerationResult {
    let now = Date()
    let rest = matcher.append(decoder.finish()) + matcher.finish()
    return GenerationResult(
      reason: reason, rest: rest, promptTokens: request.tokens.count, cachedTokens: cached,
      generatedTokens: generated, stateBytes: state?.byteCount ?? 0,
      promptSeconds: (promptRead ?? now).timeIntervalSince(started),
      seconds: now.timeIntervalSince(started))
  }
}

extension FloatMatrix {
  /// `token` as row `row` of these logits sees it, beside the `alternatives` likeliest; nothing but the
  /// token when that is nil.
  func scored(_ token: Int, row: Int, alternatives: Int?) -> ScoredToken {
    guard let alternatives else { return ScoredToken(id: token) }
    let logits = self[row], normaliser = logSumExp(ofRow: row)
    return withExtendedLifetime(self) {
      func logProbability(_ id: Int) -> Double { Double(logits[id]) - normaliser }
      // Few of many: each is put in its place among those found so far.
      var best: [Int] = []
      for id in logits.indices where alternatives > 0 {
        if best.count == alternatives, let last = best.last, logits[id] <= logits[last] { continue }
        best.insert(id, at: best.firstIndex { logits[$0] < logits[id] } ?? best.count)
        if best.count > alternatives { best.removeLast() }
      }
      return ScoredToken(
        id: token, logProbability: logProbability(token),
        alternatives: best.map { .init(id: $0, logProbability: logProbability($0)) })
    }
  }
}
