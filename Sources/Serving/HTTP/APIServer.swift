import Foundation
import Foundations
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import StrictJSON
import UnixSignals

/// Answers requests in the form of OpenAI's API, with one engine.
package struct APIServer: Sendable {
  package let engine: Engine
  package let model: ServedModel
  /// Who may ask; empty for everybody.
  package var keys: [String] = []
  /// Most bytes of a request's body.
  package var bodyLimit = 8 << 20
  private let started = Date()

  package init(_ engine: Engine, model: ServedModel) {
    self.engine = engine
    self.model = model
  }

  /// Serves on `host` and `port`, 0 for one that is free, until the task is cancelled or SIGTERM or
  /// SIGINT comes: then more requests are refused, and those that were taken finish, unless it takes
  /// longer than `patience` or a second signal comes.
  ///
  /// - Parameter ready: called with the port once requests are taken.
  package func run(
    host: String, port: Int, stopsOnSignals: Bool, ready: @escaping @Sendable (Int) -> Void
  ) async throws {
    var logger = Logger(label: "spikingbrain.serve")
    logger.logLevel = .critical
    let application = Application(
      responder: CallbackResponder<BasicRequestContext> { request, _ in await respond(to: request)
      },
      server: .http1(configuration: .init(idleTimeout: .seconds(75))),
      configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
      onServerRunning: { channel in ready(channel.localAddress?.port ?? port) }, logger: logger)
    var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
    configuration.maximumGracefulShutdownDuration = Self.farewell
    let group = ServiceGroup(configuration: configuration)
    do {
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        if stopsOnSignals { tasks.addTask { await end(group) } }
        defer { tasks.cancelAll() }
        try await group.run()
      }
    } catch let error as IOError {
      throw ServingError.address(
        host: host, port: port, reason: systemText(error.errnoCode))
    }
  }

  /// How long requests may take that were taken before the program is to end.
  static let patience = Duration.seconds(30)
  /// How long the last words to clients may take.
  private static let farewell = Duration.seconds(5)

  /// Waits for a signal and ends `group` when no request is at work any more. Until then connections
  /// are taken, so that whoever comes is told.
  private func end(_ group: ServiceGroup) async {
    await withTaskGroup(of: Void.self) { tasks in
      for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
        guard !engine.isStopping else {
          engine.giveUp()
          continue
        }
        engine.refuseMore()
        tasks.addTask {
          let end = ContinuousClock.now + Self.patience
          while !engine.hasEnded, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
          }
          engine.giveUp()
          await group.triggerGracefulShutdown()
        }
      }
    }
  }

  /// The answer to a request; errors are answers too.
  private func respond(to request: Request) async -> Response {
    do {
      return try await answer(to: request)
    } catch {
      return Self.response(APIError(error))
    }
  }

  private func answer(to request: Request) async throws -> Response {
    let path = request.uri.path
    let methods: [String: HTTPRequest.Method] = [
      "/": .get, "/healthz": .get, "/metrics": .get, "/v1/models": .get,
      "/v1/models/" + model.name: .get, "/v1/completions": .post, "/v1/chat/completions": .post,
    ]
    guard let method = methods[path] else {
      throw APIError(404, "there is nothing at \(JSONValue.string(path).shown)", code: "not_found")
    }
    guard request.method == method || request.method == .head && method == .get else {
      var response = Self.response(
        APIError(
          405, "\(path) takes \(method.rawValue), not \(request.method.rawValue)",
          code: "method_not_allowed"))
      response.headers[.allow] = method.rawValue
      return response
    }
    switch path {
    case "/": return Self.page
    case "/healthz":
      let isStopping = engine.isStopping
      return Self.response(
        ["status": isStopping ? "stopping" : "ok"], status: isStopping ? 503 : 200)
    default: break
    }
    let scope = try scope(of: request)
    switch path {
    case "/metrics":
      return Self.response(
        text: engine.metrics(since: started), type: "text/plain; version=0.0.4; charset=utf-8")
    case "/v1/models": return Self.response(["object": "list", "data": [card]])
    case "/v1/completions": return try await complete(request, form: .text, scope: scope)
    case "/v1/chat/completions": return try await complete(request, form: .chat, scope: scope)
    default: return Self.response(card)
    }
  }

  /// Whose states the request may use; throws where it has no key that is known.
  private func scope(of request: Request) throws(APIError) -> String {
    guard !keys.isEmpty else { return StateStore.openScope }
    let given = request.headers[.authorization] ?? ""
    let prefix = "bearer "
    let key = given.lowercased().hasPrefix(prefix) ? String(given.dropFirst(prefix.count)) : ""
    // All are looked at, each to its end: how long it takes tells nothing.
    var known = false
    for candidate in keys where Self.isEqual(candidate, key) { known = true }
    guard known else {
      throw APIError(
        401, given.isEmpty ? "an API key is needed: Authorization: Bearer KEY" : "unknown API key",
        code: "invalid_api_key")
    }
    return StateStore.scope(ofKey: key)
  }

  private static func isEqual(_ one: String, _ other: String) -> Bool {
    let one = Array(one.utf8), other = Array(other.utf8)
    guard one.count == other.count else { return false }
    return zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private var card: JSONValue {
    [
      "id": .string(model.name), "object": "model",
      "created": .int(Int(started.timeIntervalSince1970)), "owned_by": "spikingbrain",
    ]
  }
}

extension APIServer {
  static func response(_ json: JSONValue, status: Int = 200) -> Response {
    response(text: json.compact, type: "application/json", status: status)
  }

  static func response(text: String, type: String, status: Int = 200) -> Response {
    Response(
      status: HTTPResponse.Status(code: status), headers: [.contentType: type],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  static func response(_ error: APIError) -> Response {
    var response = response(error.json, status: error.status)
    if let seconds = error.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
    if error.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
    // What is left of a body that is too large is not read.
    if error.status == 413 { response.headers[.connection] = "close" }
    return response
  }

  fileprivate static var page: Response {
    var response = response(text: talkPage, type: "text/html; charset=utf-8")
    if let policy = HTTPField.Name("Content-Security-Policy") {
      response.headers[policy] =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }
    return response
  }
}
