import ChatTemplates
import Dispatch
import Foundation
import ModelFiles
import Pipeline
import Runtime
import StepSettings
import Synchronization
import TestSupport
import Tokenization

@testable import Serving

/// A chat format that a test can count tokens of.
let plainTemplate =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
  + "{% if add_generation_prompt %}<assistant>{% endif %}"

/// The demo model as a conversion with linear and window layers, and engines for it.
struct TinyEngine {
  let directory: TemporaryDirectory
  let runnable: RunnableModel
  let tokenizer: Tokenizer

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { $0.window = 16 }
    runnable = try RunnableModel(directory("c"), Context())
    tokenizer = try runnable.file.tokenizer.load()
  }

  func engine(
    states: StateStore? = nil, _ change: (inout Engine.Limits) -> Void = { _ in }
  ) throws -> Engine {
    var limits = Engine.Limits()
    change(&limits)
    return Engine(
      runnable.model, tokenizer: tokenizer, endTokens: try runnable.file.endTokens(),
      states: try states ?? StateStore(), limits: limits)
  }

  /// States of at most `memory` bytes, the others in files of `name`.
  func states(memory: Int, in name: String?) throws -> StateStore {
    var limits = StateStore.Limits()
    limits.memory = memory
    return try StateStore(
      limits: limits,
      files: name.map {
        try StateDirectory(
          directory($0), owner: StateFile.Owner(runnable.file), inputs: runnable.file.inputs)
      })
  }

  func ids(_ text: String) -> [Int] { tokenizer.encode(text) }

  /// What the model says alone, as `generate` does.
  func alone(_ prompt: [Int], _ count: Int) throws -> [Int] {
    var generation = Generation(
      model: runnable.model, state: DecodingState(for: runnable.model.description),
      sampler: Sampler(), endTokens: try runnable.file.endTokens())
    return try generation.run(prompt: prompt, maxTokens: count) { _ in true }
  }
}

/// The events of one request.
final class Answer: Sendable {
  private let events = Mutex<[GenerationEvent]>([])
  private let over = DispatchSemaphore(value: 0)

  func take(_ event: GenerationEvent) {
    events.withLock { $0.append(event) }
    switch event {
    case .finished, .failed: over.signal()
    case .prompt, .token: break
    }
  }

  /// Waits for the end.
  func wait() -> Answer {
    over.wait()
    over.signal()
    return self
  }

  var tokens: [Int] {
    events.withLock {
      $0.compactMap { if case .token(let token, _) = $0 { token.id } else { nil } }
    }
  }

  var text: String {
    events.withLock {
      $0.map { event in
        switch event {
        case .token(_, let text): text
        case .finished(let result): result.rest
        case .prompt, .failed: ""
        }
      }.joined()
    }
  }

  var scores: [ScoredToken] {
    events.withLock {
      for case .prompt(let scores) in $0 { return scores }
      return []
    }
  }

  var result: GenerationResult? {
    events.withLock {
      for case .finished(let result) in $0 { return result }
      return nil
    }
  }

  var failure: ServingError? {
    events.withLock {
      for case .failed(let error) in $0 { return error as? ServingError }
      return nil
    }
  }
}

extension Engine {
  /// Hands in a request; `change` sets more than its tokens.
  func ask(
    _ tokens: [Int], _ count: Int, _ change: (inout GenerationRequest) -> Void = { _ in }
  ) throws -> (answer: Answer, ticket: Ticket) {
    var request = GenerationRequest(tokens: tokens, maxTokens: count)
    change(&request)
    let answer = Answer()
    return (answer, try submit(request) { answer.take($0) })
  }
}
