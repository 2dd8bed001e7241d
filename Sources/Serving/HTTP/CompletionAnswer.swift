import Foundation
import StrictJSON
import Tokenization

/// The answers to one request as they come, and the JSON that tells them.
struct CompletionAnswer {
  private let request: CompletionRequest
  private let model: ServedModel
  private let id: String
  private let created = Int(Date().timeIntervalSince1970)
  private var choices: [Choice]
  private(set) var results: [GenerationResult?]

  /// One of the answers.
  private struct Choice {
    var text = ""
    var scores: [ScoredToken] = []
    /// The scored tokens as text, as far as it is told, and its characters so far.
    var decoder: StreamingDecoder
    var offset = 0
    var begun = false
  }

  init(_ request: CompletionRequest, _ model: ServedModel) {
    self.request = request
    self.model = model
    let random = (0..<3).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }
    id = (request.form == .chat ? "chatcmpl-" : "cmpl-") + random.joined().prefix(24)
    choices = request.texts.map { _ in Choice(decoder: StreamingDecoder(model.tokenizer)) }
    results = request.texts.map { _ in nil }
  }

  /// Whether all answers have ended.
  var isComplete: Bool { results.allSatisfy { $0 != nil } }

  /// Takes what happened to answer `index`; returns what a stream tells of it.
  mutating func take(_ event: GenerationEvent, of index: Int) throws -> [JSONValue] {
    var chunks: [JSONValue] = []
    if request.form == .chat, !choices[index].begun {
      chunks.append(chunk(index, delta: ["role": "assistant", "content": ""]))
    }
    let echo = choices[index].begun ? "" : request.echoes[index]
    choices[index].begun = true
    var text = "", scores: [ScoredToken] = [], reason: GenerationResult.Reason?
    switch event {
    case .prompt(let tokens): scores = tokens
    case .token(let token, let piece):
      text = piece
      if request.tellsScores { scores = [token] }
    case .finished(let result):
      text = result.rest
      reason = result.reason
      results[index] = result
    case .failed(let error): throw error
    }
    text = echo + text
    choices[index].text += text
    choices[index].scores += scores
    if !text.isEmpty || !scores.isEmpty {
      let told = request.tellsScores ? told(scores, of: index) : nil
      chunks.append(
        request.form == .chat
          ? chunk(index, delta: ["content": .string(text)], scores: told)
          : chunk(index, text: text, scores: told))
    }
    if let reason {
      chunks.append(
        request.form == .chat
          ? chunk(index, delta: [:], reason: reason) : chunk(index, text: "", reason: reason))
    }
    return chunks
  }

  /// The whole answer.
  var json: JSONValue {
    var answer = self
    let choices = choices.indices.map { index -> JSONValue in
      answer.choices[index].offset = 0
      answer.choices[index].decoder = StreamingDecoder(model.tokenizer)
      let choice = answer.choices[index]
      let scores =
        request.tellsScores ? answer.told(choice.scores, of: index) : JSONValue.null
      let reason = results[index].map { JSONValue.string($0.reason.rawValue) } ?? .null
      let content: (String, JSONValue) =
        request.form == .chat
        ? ("message", ["role": "assistant", "content": .string(choice.text), "refusal": nil])
        : ("text", .string(choice.text))
      return .object(
        JSONObject([
          ("index", .int(index)), content, ("logprobs", scores), ("finish_reason", reason),
        ]))
    }
    return object(
      request.form == .chat ? "chat.completion" : "text_completion", choices: choices, usage: usage)
  }

  /// What ends a stream: usage where that was asked for, with empty choices, as OpenAI sends it.
  var lastChunk: JSONValue? {
    // Not by ?:, in which nil would be JSON's null.
    guard request.tellsUsage else { return nil }
    return object(chunkName, choices: [], usage: usage)
  }

  private var chunkName: String {
    request.form == .chat ? "chat.completion.chunk" : "text_completion"
  }

  private func object(_ kind: String, choices: [JSONValue], usage: JSONValue?) -> JSONValue {
    var object: JSONObject = [
      "id": .string(id), "object": .string(kind), "created": .int(created),
      "model": .string(model.name), "system_fingerprint": nil, "choices": .array(choices),
    ]
    if let usage { object["usage"] = usage }
    return .object(object)
  }

  private func chunk(
    _ index: Int, delta: JSONValue, scores: JSONValue? = nil,
    reason: GenerationResult.Reason? = nil
  ) -> JSONValue {
    chunk(index, ("delta", delta), scores, reason)
  }

  private func chunk(
    _ index: Int, text: String, scores: JSONValue? = nil, reason: GenerationResult.Reason? = nil
  ) -> JSONValue {
    chunk(index, ("text", .string(text)), scores, reason)
  }

  private func chunk(
    _ index: Int, _ content: (String, JSONValue), _ scores: JSONValue?,
    _ reason: GenerationResult.Reason?
  ) -> JSONValue {
    let choice: JSONValue = .object(
      JSONObject([
        ("index", .int(index)), content, ("logprobs", scores ?? .null),
        ("finish_reason", reason.map { .string($0.rawValue) } ?? .null),
      ]))
    return object(chunkName, choices: [choice], usage: request.tellsUsage ? .null : nil)
  }

  /// What it took: OpenAI's members, and ours beside them.
  private var usage: JSONValue {
    let results = results.compactMap { $0 }
    // Of the answers to one prompt, it counts once.
    let count = max(1, request.texts.count / max(1, Set(request.texts.map(\.tokens)).count))
    let prompt = results.reduce(0) { $0 + $1.promptTokens } / count
    let generated = results.reduce(0) { $0 + $1.generatedTokens }
    return [
      "prompt_tokens": .int(prompt), "completion_tokens": .int(generated),
      "total_tokens": .int(prompt + generated),
      "prompt_tokens_details": ["cached_tokens": .int(results.map(\.cachedTokens).max() ?? 0)],
      "state_bytes": .int(results.reduce(0) { $0 + $1.stateBytes }),
      "prompt_seconds": .double(results.map(\.promptSeconds).max() ?? 0),
      "seconds": .double(results.map(\.seconds).max() ?? 0),
    ]
  }

  /// Scored tokens in the form that the answer has.
  private mutating func told(_ tokens: [ScoredToken], of index: Int) -> JSONValue {
    func text(_ id: Int) -> String { model.tokenizer.decode([id]) }
    func number(_ value: Double?) -> JSONValue { value.map { .double($0) } ?? .null }
    guard request.form == .text else {
      func told(_ id: Int, _ value: Double?) -> JSONObject {
        let text = text(id)
        return [
          "token": .string(text), "logprob": number(value),
          "bytes": .ints(text.utf8.map { Int($0) }),
        ]
      }
      let content = tokens.map { token -> JSONValue in
        var object = told(token.id, token.logProbability)
        object["top_logprobs"] = .array(
          token.alternatives.map { .object(told($0.id, $0.logProbability)) })
        return .object(object)
      }
      return ["content": .array(content), "refusal": nil]
    }
    var offsets: [Int] = []
    for token in tokens {
      offsets.append(choices[index].offset)
      // A character of several tokens comes with the last of them.
      choices[index].offset += choices[index].decoder.append(token.id).unicodeScalars.count
    }
    let alternatives = tokens.map { token -> JSONValue in
      guard token.logProbability != nil else { return .null }
      var object = JSONObject()
      // Different tokens may have one text; the likelier one counts.
      for other in token.alternatives where object[text(other.id)] == nil {
        object[text(other.id)] = .double(other.logProbability)
      }
      if object[text(token.id)] == nil { object[text(token.id)] = number(token.logProbability) }
      return .object(object)
    }
    return [
      "tokens": .array(tokens.map { .string(text($0.id)) }),
      "token_logprobs": .array(tokens.map { number($0.logProbability) }),
      "top_logprobs": .array(alternatives), "text_offset": .ints(offsets),
    ]
  }
}
