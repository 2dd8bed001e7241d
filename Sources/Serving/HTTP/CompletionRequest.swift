package import ChatTemplates
import Foundation
import StrictJSON
package import Tokenization

/// What a client asked for, understood.
struct CompletionRequest {
  /// Which of the two forms of answer is wanted.
  enum Form: Sendable {
    /// `/v1/completions`
    case text
    /// `/v1/chat/completions`
    case chat
  }

  let form: Form
  /// A request for each prompt and each of `n` answers to it, in this order.
  var texts: [GenerationRequest] = []
  /// What is put in front of the answer; of each text.
  var echoes: [String] = []
  /// Whether tokens are told with their log-probabilities.
  var tellsScores = false
  let isStreamed: Bool
  /// Whether a stream ends with what it took.
  let tellsUsage: Bool

  private static let common: Set = [
    "model", "max_tokens", "temperature", "top_p", "n", "seed", "stop", "stream", "stream_options",
    "logprobs",
  ]
  private static let ofText: Set = ["prompt", "echo", "best_of"]
  private static let ofChat: Set = ["messages", "max_completion_tokens", "top_logprobs"]

  /// Answers to one request, and tokens told beside each.
  private static let mostTexts = 128, mostAlternatives = 20
  /// Stops, and the bytes of one.
  private static let mostStops = 16, mostStopBytes = 1024

  /// Understands the JSON text `body`; `model` is asked.
  init(_ body: [UInt8], form: Form, model: ServedModel, scope: String) throws {
    let fields = try RequestFields(
      body, used: Self.common.union(form == .text ? Self.ofText : Self.ofChat))
    self.form = form
    if let name = try fields.string("model"), name != model.name {
      throw APIError(
        404, "there is no model \(JSONValue.string(name).shown), only \"\(model.name)\"",
        parameter: "model", code: "model_not_found")
    }
    isStreamed = try fields.bool("stream") ?? false
    tellsUsage = try Self.tellsUsage(fields)
    let limit = model.maxTokens
    var template = GenerationRequest(tokens: [], maxTokens: form == .text ? min(16, limit) : limit)
    template.scope = scope
    for key in form == .text ? ["max_tokens"] : ["max_tokens", "max_completion_tokens"] {
      template.maxTokens =
        try fields.int(key, in: (form == .text ? 0 : 1)...limit) ?? template.maxTokens
    }
    template.temperature = try fields.double("temperature", in: 0...100) ?? 1
    template.topP = try fields.double("top_p", in: 0...1) ?? 1
    if template.topP == 0 { throw APIError.invalid("top_p", "top_p is 0, expected more than 0") }
    template.stops = try Self.stops(fields)
    let seed =
      try fields.int("seed", in: Int.min...Int.max).map { UInt64(bitPattern: Int64($0)) }
      ?? UInt64.random(in: 0...UInt64.max)
    let count = try fields.int("n", in: 1...Self.mostTexts) ?? 1
    if let best = try fields.int("best_of", in: 1...Self.mostTexts), best != count {
      throw APIError(
        400, "best_of is only supported where it equals n", parameter: "best_of",
        code: "unsupported_parameter")
    }
    var prompts: [[Int]], prefixes: [String] = []
    switch form {
    case .text:
      template.alternatives = try fields.int("logprobs", in: 0...Self.mostAlternatives)
      let echoes = try fields.bool("echo") ?? false
      template.scoresPrompt = echoes && template.alternatives != nil
      prompts = try Self.prompts(fields, model)
      if echoes { prefixes = prompts.map { model.tokenizer.decode($0, skipSpecialTokens: true) } }
    case .chat:
      let tells = try fields.bool("logprobs") ?? false
      let others = try fields.int("top_logprobs", in: 0...Self.mostAlternatives)
      if others != nil && !tells {
        throw APIError.invalid("top_logprobs", "top_logprobs needs logprobs to be true")
      }
      template.alternatives = tells ? others ?? 0 : nil
      prompts = [try Self.conversation(fields, model)]
    }
    tellsScores = template.alternatives != nil
    guard prompts.count * count <= Self.mostTexts else {
      throw APIError.invalid(
        form == .text ? "prompt" : "n", "more than \(Self.mostTexts) answers in one request")
    }
    for (index, prompt) in prompts.enumerated() {
      for answer in 0..<count {
        var text = template
        text.tokens = prompt
        text.seed = seed &+ UInt64(answer)
        texts.append(text)
        echoes.append(index < prefixes.count ? prefixes[index] : "")
      }
    }
  }

  private static func tellsUsage(_ fields: RequestFields) throws(APIError) -> Bool {
    guard let options = fields["stream_options"] else { return false }
    guard let object = options.object,
      object.keys.allSatisfy({ ["include_usage", "include_obfuscation"].contains($0) })
    else {
      throw .invalid(
        "stream_options", "stream_options is \(options.shown), expected {\"include_usage\": true}")
    }
    return object["include_usage"]?.bool ?? false
  }

  private static func stops(_ fields: RequestFields) throws(APIError) -> [String] {
    guard let value = fields["stop"] else { return [] }
    let stops = value.string.map { [$0] } ?? value.array?.compactMap(\.string) ?? []
    guard value.string != nil || value.array?.count == stops.count,
      stops.count <= mostStops, stops.allSatisfy({ $0.utf8.count <= mostStopBytes })
    else {
      throw .invalid(
        "stop", "stop is \(value.shown), expected a string or at most \(mostStops) strings")
    }
    return stops.filter { !$0.isEmpty }
  }

  /// The tokens of every prompt: of a text, of several, or given as such.
  private static func prompts(_ fields: RequestFields, _ model: ServedModel) throws -> [[Int]] {
    guard let value = fields["prompt"] else {
      throw APIError(400, "prompt is missing", parameter: "prompt", code: "missing_parameter")
    }
    func tokens(_ value: JSONValue) -> [Int]? {
      if let text = value.string { return model.tokenizer.encode(text) }
      guard let array = value.array, !array.isEmpty else { return nil }
      let ids = array.compactMap(\.int)
      return ids.count == array.count ? ids : nil
    }
    var prompts: [[Int]] = []
    if let one = tokens(value) {
      prompts = [one]
    } else if let array = value.array, !array.isEmpty {
      prompts = array.compactMap(tokens)
      if prompts.count != array.count { prompts = [] }
    }
    guard !prompts.isEmpty else {
      throw APIError.invalid(
        "prompt", "prompt is \(value.shown), expected a string, tokens, or an array of either")
    }
    guard prompts.allSatisfy({ !$0.isEmpty }) else {
      throw APIError.invalid("prompt", "the prompt has no tokens")
    }
    return prompts
  }

  /// The tokens of a conversation in the checkpoint's chat format.
  private static func conversation(_ fields: RequestFields, _ model: ServedModel) throws -> [Int] {
    guard let value = fields["messages"] else {
      throw APIError(400, "messages is missing", parameter: "messages", code: "missing_parameter")
    }
    guard let array = value.array, !array.isEmpty else {
      throw APIError.invalid(
        "messages", "messages is \(value.shown), expected at least one message")
    }
    let messages = try array.enumerated().map { index, message throws(APIError) in
      try Self.message(message, name: "messages[\(index)]")
    }
    guard let template = model.template else {
      throw APIError(
        400, "the model has no chat template; use /v1/completions", parameter: "messages",
        code: "no_chat_template")
    }
    do {
      let text = try template.render(messages)
      return model.tokenizer.encode(text, addSpecialTokens: false)
    } catch {
      // Where the template lies is no affair of clients.
      let reason = (error as? ChatTemplateError)?.what ?? "the chat template fails: \(error)"
      throw APIError.invalid("messages", reason)
    }
  }

  private static func message(_ value: JSONValue, name: String) throws(APIError) -> ChatMessage {
    guard let object = value.object, let role = object["role"]?.string else {
      throw .invalid(name, "\(name) is \(value.shown), expected a role and a content")
    }
    for (key, value) in object.members
    where !["role", "content", "name", "refusal"].contains(key) && !value.isNull {
      // An empty list is what clients send back of an answer that called none.
      if value.array?.isEmpty != true {
        throw APIError(
          400, "\(name).\(key) is not supported", parameter: "\(name).\(key)",
          code: "unsupported_parameter")
      }
    }
    if let content = object["content"]?.string { return ChatMessage(role: role, content: content) }
    // Parts of which each is a text.
    let parts = object["content"]?.array ?? []
    let texts = parts.compactMap { $0["type"]?.string == "text" ? $0["text"]?.string : nil }
    guard !parts.isEmpty, texts.count == parts.count else {
      throw .invalid("\(name).content", "\(name).content is not a text")
    }
    return ChatMessage(role: role, content: texts.joined())
  }
}

/// The model that is served.
package struct ServedModel: Sendable {
  /// What it is called.
  package var name: String
  package var tokenizer: Tokenizer
  /// The chat format; nil where it has none.
  package var template: ChatTemplate?
  /// Most tokens of an answer.
  package var maxTokens: Int

  package init(name: String, tokenizer: Tokenizer, template: ChatTemplate?, maxTokens: Int) {
    self.name = name
    self.tokenizer = tokenizer
    self.template = template
    self.maxTokens = maxTokens
  }
}
