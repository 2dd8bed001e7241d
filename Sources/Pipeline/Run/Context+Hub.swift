import Communication
import Foundation
import Hub

extension Context {
  /// The path of the checkpoint that an argument names: that of the cache for a name on the Hub, such as
  /// `hf:ORG/NAME`, which is fetched where it is not there; otherwise the argument itself.
  ///
  /// This is the one place where arguments become paths: every `run` of a step begins with it.
  package func local(_ path: String) throws -> String {
    guard HubReference.isOne(path) else { return path }
    let reference = try HubReference(path), hub = try hub()
    return try firstThenAll {
      try fetching(reference) { try hub.path(of: reference, $0) }
    }
  }

  /// Does `body` with the path of the checkpoint that an argument names.
  ///
  /// - Parameter headersOnly: whether no weights are read, so that of a model that is not in the cache
  ///   only headers are fetched, and nothing is stored.
  func with<Result>(
    _ path: String, headersOnly: Bool, _ body: (String) throws -> Result
  ) throws -> Result {
    if headersOnly, HubReference.isOne(path), ranks.size == 1 {
      let reference = try HubReference(path), hub = try hub()
      if try hub.cached(reference) == nil,
        let glance = try fetching(reference, { try hub.glance(at: reference, $0) })
      {
        note("note: only the headers of \(reference.text) were fetched, and nothing is stored")
        return try withExtendedLifetime(glance) { try body(glance.checkpoint) }
      }
    }
    return try body(local(path))
  }

  private func hub() throws -> Hub {
    var settings = try HubSettings()
    if isOffline { settings.isOffline = true }
    return Hub(settings)
  }

  /// Runs `body` with who says what it does.
  private func fetching<Result>(
    _ reference: HubReference, _ body: (Hub.Listener) throws -> Result
  ) throws -> Result {
    var progress: Progress?
    defer {
      if let progress {
        progress.finish()
        send(.fetching(false))
      }
    }
    let listener = Hub.Listener(note: { note($0) }) { done, total in
      if progress == nil {
        send(.fetching(true))
        progress = self.progress("fetching \(reference.text)", unit: .bytes)
      }
      progress?.update(done: done, total: total)
    }
    return try body(listener)
  }
}

/// What people call the checkpoint at `path`: a model of the Hub by its name there, any other by its last
/// component.
package func checkpointName(_ path: String) -> String {
  if let reference = HubReference(cached: path), reference.file == nil { return reference.name }
  return URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent
}
