import ChatTemplates
import Dispatch
import Foundation
import Foundations
import ModelFiles
public import Pipeline
import Runtime
public import StepSettings
import StrictJSON
import Synchronization
import Tokenization

/// `serve`: a model answers requests of OpenAI's clients.
public struct ServeStep: Step {
  public static let name = "serve"
  public let settings: Settings<ServeKeys>

  /// Keys, separated by commas, for those who do not want them in the list of processes.
  static let keysVariable = "SPIKINGBRAIN_API_KEY"

  public init(_ settings: Settings<ServeKeys>) { self.settings = settings }

  /// Serves the checkpoint `path` until SIGTERM or SIGINT, then finishes what was begun.
  ///
  /// - Parameter ready: told where requests are taken, once they are.
  public func run(
    _ path: String, _ context: Context, ready: @escaping @Sendable (Report) -> Void
  ) throws {
    try begin(context)
    let runnable = try RunnableModel(context.local(path), context)
    let served = ServedModel(
      name: settings.modelName ?? checkpointName(runnable.file.path),
      tokenizer: try runnable.file.tokenizer.load(),
      template: try template(runnable.file, context), maxTokens: settings.maxTokens)
    var server = APIServer(
      try Engine(runnable, tokenizer: served.tokenizer, states: states(runnable), limits: limits),
      model: served)
    server.keys = try settings.apiKey + keysOfEnvironment()
    server.bodyLimit = settings.maxBody.bytes
    if server.keys.isEmpty, !["127.0.0.1", "::1", "localhost"].contains(settings.host) {
      context.listener(.note("note: everybody who reaches \(settings.host) may ask: no --api-key"))
    }
    defer { server.engine.stop() }
    let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
    try Self.wait { [server, settings] in
      try await server.run(host: settings.host, port: settings.port, stopsOnSignals: true) { port in
        let url = "http://\(host):\(port)"
        ready(
          Report(
            json: ["url": .string(url), "model": .string(served.name)],
            text: "serving \(served.name) at \(url)"))
      }
    }
    let cut = server.engine.counters.withLock { $0.cut }
    if cut > 0 {
      context.listener(
        .note("note: \(counted(cut, "text")) had not finished, and the clients were told"))
    }
  }

  /// The keys in the environment; a variable that is set and holds none is a secret that was lost.
  private func keysOfEnvironment() throws -> [String] {
    guard let text = ProcessInfo.processInfo.environment[Self.keysVariable] else { return [] }
    let keys = text.split(separator: ",").map(String.init)
    guard !keys.isEmpty else {
      throw InputError.option(
        Self.keysVariable, value: text, expected: "keys separated by commas, or not to be set")
    }
    return keys
  }

  private var limits: Engine.Limits {
    var limits = Engine.Limits()
    limits.sequences = settings.batch
    limits.chunk = settings.chunk
    limits.queue = settings.queue
    limits.seconds = settings.timeLimit
    return limits
  }

  private func states(_ runnable: RunnableModel) throws -> StateStore {
    var limits = StateStore.Limits()
    limits.memory = settings.stateMemory.bytes
    limits.disk = settings.stateDisk.bytes
    let files = try settings.stateDir.map {
      try StateDirectory(
        $0, owner: StateFile.Owner(runnable.file), inputs: runnable.file.inputs)
    }
    return try StateStore(limits: limits, files: files)
  }

  /// The chat format; nil, and said, where there is none.
  private func template(_ file: ModelFile, _ context: Context) throws -> ChatTemplate? {
    do {
      return try file.tokenizer.chatTemplate()
    } catch let error as any ReportableError {
      context.listener(.note("note: no /v1/chat/completions: \(error.what)"))
      return nil
    }
  }

  /// Runs `body` to its end, on threads of its own.
  private static func wait(_ body: @escaping @Sendable () async throws -> Void) throws {
    let failure = Failure()
    let done = DispatchSemaphore(value: 0)
    Task.detached {
      do { try await body() } catch { failure.error.withLock { $0 = error } }
      done.signal()
    }
    done.wait()
    if let error = failure.error.withLock({ $0 }) { throw error }
  }

  private final class Failure: Sendable {
    let error = Mutex<(any Error)?>(nil)
  }
}

extension Engine {
  /// An engine for a checkpoint that was opened.
  convenience init(
    _ runnable: RunnableModel, tokenizer: Tokenizer, states: StateStore, limits: Limits
  ) throws {
    self.init(
      runnable.model, tokenizer: tokenizer, endTokens: try runnable.file.endTokens(),
      states: states, limits: limits)
  }
}
