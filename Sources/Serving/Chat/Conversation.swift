import ChatTemplates
import Dispatch
import Foundation
import Foundations
import ModelFiles
import Pipeline
import Runtime
import StepSettings
import StrictJSON
import Synchronization
import Tokenization

/// A conversation with a model: every turn reads only what is new in it.
final class Conversation {
  private let engine: Engine
  private let tokenizer: Tokenizer
  private let template: ChatTemplate
  private let owner: StateFile.Owner
  private let inputs: [String]
  private let settings: Settings<ChatKeys>
  private var messages: [ChatMessage] = []
  /// The tokens of the last turn and its answer.
  private var tokens: [Int] = []
  private var turns = 0

  init(_ runnable: RunnableModel, _ settings: Settings<ChatKeys>) throws {
    self.settings = settings
    tokenizer = try runnable.file.tokenizer.load()
    template = try runnable.file.tokenizer.chatTemplate()
    owner = try StateFile.Owner(runnable.file)
    inputs = runnable.file.inputs
    var limits = Engine.Limits()
    limits.sequences = 1
    limits.seconds = .infinity
    engine = try Engine(runnable, tokenizer: tokenizer, states: StateStore(), limits: limits)
    reset()
  }

  /// Ends it.
  func end() { engine.stop() }

  /// Forgets what was said.
  func reset() {
    messages = settings.system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    tokens = []
    turns = 0
  }

  /// Says `text`, and hands the answer to `emit` as it comes; an answer that was interrupted counts as
  /// far as it got.
  ///
  /// - Returns: what it took; nil when it was interrupted.
  func say(
    _ text: String, interruption: Interruption, emit: (String) -> Void
  ) throws -> GenerationResult? {
    let asked = messages + [ChatMessage(role: "user", content: text)]
    let prompt = tokenizer.encode(try template.render(asked), addSpecialTokens: false)
    var request = GenerationRequest(tokens: prompt, maxTokens: settings.maxTokens)
    request.temperature = settings.temperature
    request.topP = settings.topP
    request.seed = settings.seed &+ UInt64(turns)
    let events = EventQueue()
    let ticket = try engine.submit(request) { events.append($0) }
    interruption.begin {
      ticket.cancel()
      events.append(nil)
    }
    defer { interruption.end() }
    var answer = "", generated: [Int] = []
    defer {
      if !answer.isEmpty {
        messages = asked + [ChatMessage(role: "assistant", content: answer)]
        tokens = prompt + generated
        turns += 1
      }
    }
    func tell(_ piece: String) {
      answer += piece
      emit(piece)
    }
    while let event = events.next() {
      switch event {
      case .prompt: break
      case .token(let token, let piece):
        generated.append(token.id)
        tell(piece)
      case .finished(let result):
        tell(result.rest)
        return result
      case .failed(let error): throw error
      }
    }
    return nil
  }

  /// Writes what was said, and the state after it, to the file `path`.
  func save(_ path: String) throws {
    guard let found = engine.states.find(tokens, scope: StateStore.openScope) else {
      throw InputError.option(
        "/save", value: path, expected: "something to save: say something first")
    }
    let said = JSONValue.array(
      messages.map { ["role": .string($0.role), "content": .string($0.content)] })
    try StateFile.write(
      found.state, of: owner,
      metadata: [
        "tokens": TokenText.text(tokens.prefix(found.count)),
        "messages": said.compact,
      ], to: FloatTensorFile(path: path, kind: .state, force: false, inputs: inputs))
  }

  /// Goes on with the conversation in the file `path`; returns how many messages it has.
  func load(_ path: String) throws -> Int {
    let (state, metadata) = try StateFile.read(path, for: owner)
    func misfit(_ reason: String) -> RuntimeError { .stateDoesNotFit(file: path, reason: reason) }
    guard let text = metadata["messages"],
      let said = try? JSONParser.parse(Array(text.utf8)).array
    else { throw ServingError.noConversation(file: path) }
    let messages = said.compactMap { message -> ChatMessage? in
      guard let role = message["role"]?.string, let content = message["content"]?.string else {
        return nil
      }
      return ChatMessage(role: role, content: content)
    }
    let ids = TokenText.tokens(in: metadata["tokens"] ?? "").map { $0.map { Int($0) } }
    guard messages.count == said.count, let ids, ids.count == state.position else {
      throw misfit("its conversation is not as it was saved")
    }
    self.messages = messages
    tokens = ids
    turns = messages.count { $0.role == "assistant" }
    engine.states.insert(state, after: ids[...], scope: StateStore.openScope)
    return messages.count
  }
}

/// What ends an answer before its end.
final class Interruption: Sendable {
  private let action = Mutex<(@Sendable () -> Void)?>(nil)

  /// From now on `action` is what an interruption does.
  func begin(_ action: @escaping @Sendable () -> Void) { self.action.withLock { $0 = action } }

  func end() { action.withLock { $0 = nil } }

  /// Interrupts; false when there is nothing to.
  func fire() -> Bool {
    guard let action = action.withLock({ $0 }) else { return false }
    action()
    return true
  }
}

/// Events from one thread to another; nil ends them.
private final class EventQueue: Sendable {
  private let events = Mutex<[GenerationEvent?]>([])
  private let arrival = DispatchSemaphore(value: 0)

  func append(_ event: GenerationEvent?) {
    events.withLock { $0.append(event) }
    arrival.signal()
  }

  func next() -> GenerationEvent? {
    arrival.wait()
    return events.withLock { $0.removeFirst() }
  }
}
