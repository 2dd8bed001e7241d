import ChatTemplates
import Foundation
import FoundationNetworking
import StrictJSON
import TestSupport
import Testing
import Tokenization

@testable import Serving

/// What clients get over a loopback socket.
@Suite(.serialized)
struct APIServerTests {
  private let tiny: TinyEngine

  init() throws { tiny = try TinyEngine() }

  /// What came back.
  private struct Reply {
    var status: Int
    var text: String
    var headers: [String: String]

    var json: JSONValue { (try? JSONParser.parse(Array(text.utf8))) ?? .null }
    var error: JSONValue { json["error"] ?? .null }
  }

  /// A server that is being asked.
  private struct Client {
    let port: Int

    func ask(
      _ path: String, _ body: String? = nil, method: String? = nil, key: String? = nil
    ) async throws -> Reply {
      var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
      request.httpMethod = method ?? (body == nil ? "GET" : "POST")
      request.httpBody = body.map { Data($0.utf8) }
      if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
      let (data, response) = try await URLSession.shared.data(for: request)
      let http = try #require(response as? HTTPURLResponse)
      var headers: [String: String] = [:]
      for (name, value) in http.allHeaderFields { headers["\(name)".lowercased()] = "\(value)" }
      return Reply(
        status: http.statusCode, text: String(decoding: data, as: UTF8.self), headers: headers)
    }
  }

  private func serving(
    _ change: (inout APIServer) -> Void = { _ in },
    limits: (inout Engine.Limits) -> Void = { _ in }, _ body: (Client, Engine) async throws -> Void
  ) async throws {
    let engine = try tiny.engine(limits)
    defer { engine.stop() }
    var server = APIServer(
      engine,
      model: ServedModel(
        name: "tiny", tokenizer: tiny.tokenizer, template: try ChatTemplate(plainTemplate),
        maxTokens: 64))
    change(&server)
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let task = Task { [server] in
      try await server.run(host: "127.0.0.1", port: 0, stopsOnSignals: false) { found.yield($0) }
    }
    for await port in ports {
      try await body(Client(port: port), engine)
      break
    }
    task.cancel()
    _ = await task.result
  }

  @Test func `a completion is what generate says`() async throws {
    try await serving { client, _ in
      let prompt = tiny.ids("It is a truth")
      let expected = tiny.tokenizer.decode(try tiny.alone(prompt, 8))
      let body = #"{"model":"tiny","prompt":"It is a truth","max_tokens":8,"temperature":0"#
      let whole = try await client.ask("/v1/completions", body + "}")
      #expect(whole.status == 200)
      let choice = try #require(whole.json["choices"]?.array?.first)
      #expect(choice["text"]?.string == expected)
      #expect(choice["finish_reason"]?.string == "length")
      #expect(whole.json["usage"]?["prompt_tokens"]?.int == prompt.count)
      #expect(whole.json["usage"]?["completion_tokens"]?.int == 8)

      let stream = try await client.ask(
        "/v1/completions", body + #","stream":true,"stream_options":{"include_usage":true}}"#)
      #expect(stream.headers["content-type"] == "text/event-stream")
      let events = stream.text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
      #expect(events.last == "data: [DONE]")
      let chunks = try events.dropLast().map {
        try JSONParser.parse(Array($0.dropFirst("data: ".count).utf8))
      }
      let text = chunks.compactMap { $0["choices"]?.array?.first?["text"]?.string }.joined()
      #expect(text == expected)
      #expect(chunks.last?["usage"]?["completion_tokens"]?.int == 8)

      let plain = try await client.ask("/v1/completions", body + #","stream":true}"#)
      let told = plain.text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
      #expect(told.dropLast().allSatisfy { $0.hasPrefix("data: {") })
      #expect(told.last == "data: [DONE]")
    }
  }

  @Test func `offsets of tokens are places in the text, within a character, too`() async throws {
    try await serving { client, _ in
      let whole = try await client.ask(
        "/v1/completions",
        #"{"prompt":"日本語 🎉 é and","max_tokens":4,"temperature":0,"echo":true,"logprobs":0}"#)
      let choice = try #require(whole.json["choices"]?.array?.first)
      let text = try #require(choice["text"]?.string).unicodeScalars
      let tokens = try #require(choice["logprobs"]?["tokens"]?.array).compactMap(\.string)
      let offsets = try #require(choice["logprobs"]?["text_offset"]?.array).compactMap(\.int)
      #expect(tokens.count == offsets.count)
      #expect(offsets == offsets.sorted())
      for (token, offset) in zip(tokens, offsets) where !token.contains("\u{FFFD}") {
        let rest = text.dropFirst(offset)
        #expect(String(String.UnicodeScalarView(rest)).hasPrefix(token))
      }
    }
  }

  @Test func `several prompts, tokens, echo and log-probabilities`() async throws {
    try await serving { client, _ in
      let ids = tiny.ids("Well, Prince,")
      let reply = try await client.ask(
        "/v1/completions",
        """
        {"prompt": [\(JSONValue.ints(ids).compact), \(JSONValue.ints(ids.reversed()).compact)],
        "max_tokens": 1, "temperature": 0, "echo": true, "logprobs": 1}
        """)
      let choices = try #require(reply.json["choices"]?.array)
      #expect(choices.map { $0["index"]?.int } == [0, 1])
      let scores = try #require(choices[0]["logprobs"])
      #expect(scores["tokens"]?.array?.count == ids.count + 1)
      #expect(scores["token_logprobs"]?.array?.first?.isNull == true)
      // The last was generated: the likeliest.
      let last = scores["token_logprobs"]?.array?.last?.double
      #expect(last == scores["top_logprobs"]?.array?.last?.object?.members.first?.value.double)
      #expect(choices[0]["text"]?.string?.hasPrefix("Well, Prince,") == true)
    }
  }

  @Test func `a conversation, and its next turn`() async throws {
    try await serving { client, _ in
      var messages = #"{"role":"user","content":"Who are you?"}"#
      var cached: [Int] = []
      for _ in 0..<2 {
        let reply = try await client.ask(
          "/v1/chat/completions", #"{"messages":[\#(messages)],"temperature":0,"max_tokens":6}"#)
        let message = try #require(reply.json["choices"]?.array?.first?["message"])
        #expect(message["role"]?.string == "assistant")
        cached.append(
          reply.json["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.int ?? -1)
        messages += ",\(message.compact)," + #"{"role":"user","content":"Why?"}"#
      }
      #expect(cached[0] == 0)
      #expect(cached[1] > 0)
    }
  }

  private static let badRequests: [(body: String, status: Int, parameter: String?)] = [
    ("{", 400, nil), ("[]", 400, nil), ("{}", 400, "prompt"),
    (#"{"prompt":7}"#, 400, "prompt"), (#"{"prompt":""}"#, 400, "prompt"),
    (#"{"prompt":[1,"a"]}"#, 400, "prompt"), (#"{"prompt":[99999999]}"#, 400, "prompt"),
    (#"{"prompt":"a","max_tokens":-1}"#, 400, "max_tokens"),
    (#"{"prompt":"a","max_tokens":65}"#, 400, "max_tokens"),
    (#"{"prompt":"a","temperature":"warm"}"#, 400, "temperature"),
    (#"{"prompt":"a","top_p":0}"#, 400, "top_p"), (#"{"prompt":"a","n":0}"#, 400, "n"),
    (#"{"prompt":"a","stop":[1]}"#, 400, "stop"),
    (#"{"prompt":"a","logit_bias":{"5":1}}"#, 400, "logit_bias"),
    (#"{"prompt":"a","presence_penalty":0.5}"#, 400, "presence_penalty"),
    (#"{"prompt":"a","min_p":0.1}"#, 400, "min_p"),
    (#"{"prompt":"a","model":"other"}"#, 404, "model"),
  ]

  @Test func `a bad request is refused by name, and the server lives`() async throws {
    try await serving { client, _ in
      for (body, status, parameter) in Self.badRequests {
        let reply = try await client.ask("/v1/completions", body)
        #expect(reply.status == status, "\(body)")
        #expect(reply.error["param"]?.string == parameter, "\(body)")
        #expect(reply.error["message"]?.string?.isEmpty == false, "\(body)")
      }
      #expect(try await client.ask("/healthz").status == 200)
    }
  }

  @Test func `what changes nothing is accepted`() async throws {
    try await serving { client, _ in
      let reply = try await client.ask(
        "/v1/completions",
        #"{"prompt":"a","max_tokens":1,"user":"u","logit_bias":{},"presence_penalty":0,"stop":null}"#
      )
      #expect(reply.status == 200)
    }
  }

  @Test func `keys, paths, methods and sizes`() async throws {
    try await serving({
      $0.keys = ["one", "two"]
      $0.bodyLimit = 1000
    }) { client, _ in
      let body = #"{"prompt":"It is","max_tokens":2,"temperature":0}"#
      #expect(try await client.ask("/v1/models").status == 401)
      #expect(try await client.ask("/v1/completions", body, key: "three").status == 401)
      #expect(try await client.ask("/healthz").status == 200)
      #expect(try await client.ask("/").text.contains("<title>"))
      let models = try await client.ask("/v1/models", key: "one")
      #expect(models.json["data"]?.array?.first?["id"]?.string == "tiny")
      #expect(try await client.ask("/v1/nothing", key: "one").status == 404)
      let method = try await client.ask("/v1/completions", key: "one")
      #expect(method.status == 405)
      #expect(method.headers["allow"] == "POST")
      let long = try await client.ask(
        "/v1/completions", #"{"prompt":"\#(String(repeating: "a", count: 2000))"}"#, key: "one")
      #expect(long.status == 413)
      var cached: [Int?] = []
      for key in ["one", "two", "one"] {
        let reply = try await client.ask("/v1/completions", body, key: key)
        cached.append(reply.json["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.int)
      }
      #expect(cached[0] == 0 && cached[1] == 0 && cached[2] != 0)
      #expect(
        try await client.ask("/metrics", key: "one").text.contains(
          "spikingbrain_requests_total{outcome=\"finished\"} 3"))
    }
  }

  @Test func `a full queue says when to come again, a stopping server that it stops`() async throws
  {
    try await serving(limits: {
      $0.sequences = 1
      $0.queue = 0
    }) { client, engine in
      let running = try engine.ask(tiny.ids("a"), 1 << 20)
      defer { running.ticket.cancel() }
      let body = #"{"prompt":"a","max_tokens":1}"#
      let full = try await client.ask("/v1/completions", body)
      #expect(full.status == 429)
      #expect(full.headers["retry-after"] != nil)
      engine.refuseMore()
      #expect(try await client.ask("/v1/completions", body).status == 503)
      #expect(try await client.ask("/healthz").status == 503)
    }
  }
}
