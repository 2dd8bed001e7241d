import Architectures
import Dispatch
import Foundation
import Kernels
package import Runtime
package import Synchronization
package import Tokenization

/// Continues several texts at a time with one model.
///
/// Texts whose prompts are read go on together, token by token, so that weights are read once for all
/// of them. Between two steps a piece of one waiting prompt is read: nobody waits for a whole prompt
/// of another. What was read is kept (`StateStore`), and a text that begins alike goes on from there.
///
/// A prompt is read in the pieces in which `generate` reads it, and a step of one text computes what
/// `generate` computes. In a step of several, each has the numbers that it has alone within rounding;
/// with `sequences` 1 they are the same to the last bit on every processor.
package final class Engine: Sendable {
  /// What it may use.
  package struct Limits: Sendable {
    /// Texts that are continued at a time.
    package var sequences = 16
    /// Tokens of a prompt that are read between two steps.
    package var chunk = Model.segment
    /// Requests that may wait for a place.
    package var queue = 64
    /// Seconds that a request may take, waiting included.
    package var seconds = 600.0

    package init() {}
  }

  private struct Inbox {
    var waiting: [WaitingText] = []
    /// Texts that have a place.
    var running = 0
    var isStopping = false
    /// Whether those that were taken are given up.
    var isGivingUp = false
    var hasEnded = false
  }

  let model: Model
  let tokenizer: Tokenizer
  let endTokens: Set<Int>
  let limits: Limits
  /// What was read of texts before.
  package let states: StateStore
  /// What has happened so far.
  package let counters = Mutex(Counters())
  private let inbox = Mutex(Inbox())
  private let arrival = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)

  /// An engine at work. It is at work until `stop`.
  package init(
    _ model: Model, tokenizer: Tokenizer, endTokens: Set<Int>, states: StateStore,
    limits: Limits = Limits()
  ) {
    self.model = model
    self.tokenizer = tokenizer
    self.endTokens = endTokens
    self.states = states
    self.limits = limits
    let thread = Thread { self.run() }
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Hands in a request; `tell` is called by the engine's thread, and waited for.
  package func submit(
    _ request: GenerationRequest, tell: @escaping @Sendable (GenerationEvent) -> Void
  ) throws -> Ticket {
    guard !request.tokens.isEmpty else { throw ServingError.emptyPrompt }
    try model.description.requireRows(for: request.tokens, text: tokenizer.token(of:))
    if let limit = model.longestText, request.tokens.count + min(request.maxTokens, 1) > limit {
      throw ServingError.tooLong(tokens: request.tokens.count + 1, limit: limit)
    }
    let ticket = Ticket { [arrival] in arrival.signal() }
    let now = Date()
    let text = WaitingText(
      request: request, ticket: ticket, deadline: now + limits.seconds, arrived: now, tell: tell)
    try inbox.withLock { inbox in
      if inbox.isStopping { throw ServingError.stopping }
      // Those for whom there is a place wait only until it is given to them.
      guard inbox.waiting.count + inbox.running < limits.queue + limits.sequences else {
        throw ServingError.queueFull(waiting: inbox.waiting.count)
      }
      inbox.waiting.append(text)
    }
    arrival.signal()
    return ticket
  }

  /// Whether no more requests are taken.
  package var isStopping: Bool { inbox.withLock { $0.isStopping } }

  /// Takes no more requests; those that were taken go on.
  package func refuseMore() {
    inbox.withLock { $0.isStopping = true }
    arrival.signal()
  }

  /// Takes no more requests, and fails those that were taken and have not finished.
  package func giveUp() {
    inbox.withLock { ($0.isStopping, $0.isGivingUp) = (true, true) }
    arrival.signal()
  }

  /// Whether nothing is at work any more, nor will be.
  package var hasEnded: Bool { inbox.withLock { $0.hasEnded } }

  /// Takes no more requests, finishes those that were taken, and keeps their states where they
  /// outlive the program.
  package func stop() {
    refuseMore()
    ended.wait()
    ended.signal()
    states.persist()
  }

  private func run() {
    var texts: [RunningText] = []
    defer {
      inbox.withLock { $0.hasEnded = true }
      ended.signal()
    }
    while true {
      let isStopping = admit(to: &texts)
      texts.removeAll(where: isGivenUp)
      if texts.isEmpty {
        if isStopping, inbox.withLock({ $0.waiting.isEmpty }) { return }
        if inbox.withLock({ $0.waiting.isEmpty }) { arrival.wait() }
        continue
      }
      readPiece(of: &texts)
      advance(&texts)
    }
  }

  /// Gives free places to those that wait longest; returns whether no more will come.
  private func admit(to texts: inout [RunningText]) -> Bool {
    let free = limits.sequences - texts.count
    var given: [WaitingText] = []
    let isStopping = inbox.withLock { inbox in
      let now = Date()
      inbox.waiting.removeAll { text in
        guard text.ticket.isCancelled || text.deadline < now || inbox.isGivingUp else {
          return false
        }
        // Looked at below, without the lock.
        given.append(text)
        return true
      }
      let next = inbox.waiting.prefix(max(0, free))
      given += next
      inbox.waiting.removeFirst(next.count)
      inbox.running = texts.count + given.count
      return inbox.isStopping
    }
    for waiting in given {
      let request = waiting.request
      let isWanted = !waiting.ticket.isCancelled && waiting.deadline > Date()
      let found =
        request.scoresPrompt || !isWanted
        ? nil : states.find(request.tokens, scope: request.scope)
      let text = RunningText(
        waiting, state: found?.state ?? DecodingState(for: model.description),
        read: found?.count ?? 0, tokenizer: tokenizer)
      texts.append(text)
      if !text.isReading { noteRead(text) }
    }
    let counts = (texts.count, inbox.withLock { $0.waiting.count })
    counters.withLock { ($0.running, $0.waiting) = counts }
    return isStopping
  }

  /// Whether nobody wants a text any more, or it took too long; says so in that case.
  private func isGivenUp(_ text: RunningText) -> Bool {
    if text.waiting.ticket.isCancelled {
      counters.withLock { $0.cancelled += 1 }
      return true
    }
    if inbox.withLock({ $0.isGivingUp }) {
      fail(text, ServingError.stopping)
      return true
    }
    guard text.waiting.deadline < Date() else { return false }
    fail(text, ServingError.timeLimit(seconds: limits.seconds))
    return true
  }

  func fail(_ text: RunningText, _ error: any Error) {
    counters.withLock {
      $0.failed += 1
      if case ServingError.stopping = error { $0.cut += 1 }
    }
    text.waiting.tell(.failed(error))
  }
}
