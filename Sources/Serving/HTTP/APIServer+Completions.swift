import HTTPTypes
import Hummingbird
import NIOCore
import StrictJSON
import Synchronization

extension APIServer {
  /// An event of one of the texts of a request.
  private typealias Told = (index: Int, event: GenerationEvent)

  /// The texts of a request at work: their events, and how to give them up.
  private struct Work: Sendable {
    let events: AsyncStream<Told>
    let told: AsyncStream<Told>.Continuation
    let tickets: [Ticket]

    /// Nothing more is told.
    func cancel() {
      tickets.forEach { $0.cancel() }
      told.finish()
    }

    /// Takes events up to the last one of all answers.
    func take(
      into answer: inout CompletionAnswer, telling: ([JSONValue]) -> Void = { _ in }
    ) async throws {
      for await (index, event) in events {
        telling(try answer.take(event, of: index))
        if answer.isComplete { return }
      }
      throw ServingError.stopping
    }
  }

  /// A client, who may leave before or after there is work for it.
  private final class Client: Sendable {
    private let state = Mutex<(work: Work?, hasLeft: Bool)>((nil, false))

    func wants(_ work: Work) {
      let hasLeft = state.withLock { state in
        state.work = work
        return state.hasLeft
      }
      if hasLeft { work.cancel() }
    }

    func leaves() {
      let work = state.withLock { state in
        state.hasLeft = true
        return state.work
      }
      work?.cancel()
    }
  }

  /// What becomes of a request: one answer, an error, or a stream and what is sent in it.
  fileprivate enum Part: Sendable {
    case whole(JSONValue)
    case failed(APIError)
    case stream
    case chunk(String)
  }

  /// Answers a request to one of the two forms of completion.
  ///
  /// Who watches for a client that leaves reads the body too, and has to read it from its beginning; so
  /// all is done there, and told here as parts.
  func complete(
    _ request: Request, form: CompletionRequest.Form, scope: String
  ) async throws -> Response {
    let client = Client()
    let (parts, told) = AsyncStream.makeStream(of: Part.self)
    let task = Task {
      do {
        let last = try await withTaskCancellationHandler {
          try await request.body.consumeWithInboundCloseHandler { body in
            try await answer(body, form: form, scope: scope, to: client) { told.yield($0) }
          } onInboundClosed: {
            client.leaves()
          }
        } onCancel: {
          client.leaves()
        }
        for part in last { told.yield(part) }
      } catch {
        client.leaves()
        told.yield(.failed(APIError(error)))
      }
      told.finish()
    }
    return await withTaskCancellationHandler {
      var response = await Self.response(of: parts, task)
      // Watching ends the connection with the answer.
      response.headers[.connection] = "close"
      return response
    } onCancel: {
      task.cancel()
    }
  }

  /// Reads the request and does what it asks; returns what is to be told at last.
  private func answer(
    _ body: RequestBody, form: CompletionRequest.Form, scope: String, to client: Client,
    telling: (Part) -> Void
  ) async throws -> [Part] {
    let bytes: [UInt8]
    do {
      bytes = Array(buffer: try await body.collect(upTo: bodyLimit))
    } catch is NIOTooManyBytesError {
      throw APIError(
        413, "the body has more than \(bodyLimit) bytes", code: "request_too_large")
    }
    let completion = try CompletionRequest(bytes, form: form, model: model, scope: scope)
    let work = try begin(completion)
    client.wants(work)
    var answer = CompletionAnswer(completion, model)
    guard completion.isStreamed else {
      try await work.take(into: &answer)
      return [.whole(answer.json)]
    }
    telling(.stream)
    try await work.take(into: &answer) { chunks in
      for chunk in chunks { telling(.chunk(chunk.compact)) }
    }
    return (answer.lastChunk.map { [.chunk($0.compact)] } ?? []) + [.chunk("[DONE]")]
  }

  /// Hands in all texts of a request, or none.
  private func begin(_ completion: CompletionRequest) throws -> Work {
    let (events, told) = AsyncStream.makeStream(of: Told.self)
    var tickets: [Ticket] = []
    do {
      for (index, text) in completion.texts.enumerated() {
        tickets.append(try engine.submit(text) { told.yield((index, $0)) })
      }
    } catch {
      tickets.forEach { $0.cancel() }
      throw APIError(error, parameter: completion.form == .chat ? "messages" : "prompt")
    }
    return Work(events: events, told: told, tickets: tickets)
  }

  /// The response that `parts` are; `task` makes them.
  private static func response(
    of parts: AsyncStream<Part>, _ task: Task<Void, Never>
  ) async -> Response {
    for await part in parts {
      switch part {
      case .whole(let json): return response(json)
      case .failed(let error): return response(error)
      case .chunk: continue
      case .stream:
        let body = ResponseBody { writer in
          // Also where the client cannot be written to any more.
          defer { task.cancel() }
          for await part in parts {
            guard let text = part.event else { continue }
            try await writer.write(ByteBuffer(string: "data: \(text)\n\n"))
          }
          try await writer.finish(nil)
        }
        return Response(
          status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
          body: body)
      }
    }
    return response(APIError(ServingError.stopping))
  }
}

extension APIServer.Part {
  /// What a stream tells of it.
  fileprivate var event: String? {
    switch self {
    case .chunk(let text): text
    case .failed(let error): error.json.compact
    case .whole, .stream: nil
    }
  }
}
