import HTTPTypes
import Hummingbird
import NIOCore
import StrictJSON

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

  /// Answers a request to one of the two forms of completion.
  func complete(
    _ request: Request, form: CompletionRequest.Form, scope: String
  ) async throws -> Response {
    let bytes: [UInt8]
    do {
      bytes = Array(buffer: try await request.body.collect(upTo: bodyLimit))
    } catch is NIOTooManyBytesError {
      throw APIError(
        413, "the body has more than \(bodyLimit) bytes", code: "request_too_large")
    }
    let completion = try CompletionRequest(bytes, form: form, model: model, scope: scope)
    let work = try begin(completion)
    var response =
      completion.isStreamed
      ? stream(completion, work, request) : try await whole(completion, work, request)
    // Watching for a client that leaves ends the connection with the answer.
    response.headers[.connection] = "close"
    return response
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

  /// The whole answer at once.
  private func whole(
    _ completion: CompletionRequest, _ work: Work, _ request: Request
  ) async throws -> Response {
    let json = try await Self.watching(request, work) {
      var answer = CompletionAnswer(completion, model)
      try await work.take(into: &answer)
      return answer.json
    }
    return Self.response(json)
  }

  /// The answer as it comes.
  private func stream(
    _ completion: CompletionRequest, _ work: Work, _ request: Request
  ) -> Response {
    let body = ResponseBody { writer in
      defer { work.cancel() }
      for await chunk in chunks(completion, work, request) {
        try await writer.write(ByteBuffer(string: "data: \(chunk)\n\n"))
      }
      try await writer.finish(nil)
    }
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
      body: body)
  }

  /// What a stream is made of. Who watches for the client runs beside what writes to it.
  private func chunks(
    _ completion: CompletionRequest, _ work: Work, _ request: Request
  ) -> AsyncStream<String> {
    AsyncStream { chunks in
      Task {
        do {
          let last = try await Self.watching(request, work) {
            var answer = CompletionAnswer(completion, model)
            try await work.take(into: &answer) { found in
              for chunk in found { chunks.yield(chunk.compact) }
            }
            return answer.lastChunk
          }
          if let last { chunks.yield(last.compact) }
          chunks.yield("[DONE]")
        } catch {
          chunks.yield(APIError(error).json.compact)
        }
        chunks.finish()
      }
    }
  }

  /// Runs `body`; gives the work up when the client leaves, or when `body` throws.
  private static func watching<Result: Sendable>(
    _ request: Request, _ work: Work, _ body: () async throws -> Result
  ) async throws -> Result {
    do {
      return try await withTaskCancellationHandler {
        try await request.body.consumeWithInboundCloseHandler { _ in
          try await body()
        } onInboundClosed: {
          work.cancel()
        }
      } onCancel: {
        work.cancel()
      }
    } catch {
      work.cancel()
      throw error
    }
  }
}
