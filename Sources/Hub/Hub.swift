import Checkpoints
import Foundation

/// Models by their names on a Hub, from the cache where they are there, fetched where they are not.
package struct Hub: Sendable {
  package let settings: HubSettings

  /// The Hub that `settings` say.
  package init(_ settings: HubSettings) { self.settings = settings }

  /// Who hears of what is done.
  package struct Listener {
    /// Told what a user should know, on any thread.
    package var note: @Sendable (String) -> Void
    /// Told how many bytes have arrived, of how many.
    package var progress: (_ done: Int, _ total: Int) -> Void

    /// - Parameters:
    ///   - note: told what a user should know, on any thread.
    ///   - progress: told how many bytes have arrived, of how many.
    package init(
      note: @escaping @Sendable (String) -> Void,
      progress: @escaping (_ done: Int, _ total: Int) -> Void
    ) {
      self.note = note
      self.progress = progress
    }
  }

  /// The path of `reference` in the cache: a directory, or a file where one was chosen or is the whole
  /// model. What is not there is fetched first.
  package func path(
    of reference: HubReference, _ listener: Listener
  ) throws(HubError) -> String {
    if let path = try cached(reference) { return path }
    let client = HubClient(settings, reference, note: listener.note)
    let contents = try HubContents(client)
    let cache = HubCache(settings.cache, reference)
    let download = HubDownload(client: client, cache: cache, commit: contents.commit)
    var names = contents.selection.names
    if let index = contents.selection.index {
      try fetch([index], contents, download, report: { _, _ in })
      names += try contents.files(
        namedByIndex: "\(cache.snapshot(contents.commit))/\(index)")
    }
    try fetch(names, contents, download, report: listener.progress)
    try cache.note(reference.revision ?? HubReference.defaultRevision, is: contents.commit)
    return path(of: contents.selection, in: cache.snapshot(contents.commit))
  }

  private func fetch(
    _ names: [String], _ contents: HubContents, _ download: HubDownload,
    report: (_ done: Int, _ total: Int) -> Void
  ) throws(HubError) {
    let there = Set(download.cache.files(at: contents.commit))
    let client = download.client, commit = contents.commit
    let files = try client.all(names.filter { !there.contains($0) }) {
      name, crew throws(HubError) in try client.file(name, at: commit, on: crew.connection)
    }
    let total = files.reduce(0) { $0 + $1.size }
    if !files.isEmpty { try download.run(files) { report($0, total) } }
  }

  /// The path of `reference` where the cache holds it, so that nothing has to be asked.
  package func cached(_ reference: HubReference) throws(HubError) -> String? {
    let cache = HubCache(settings.cache, reference)
    let revision = reference.revision ?? HubReference.defaultRevision
    var missing: [String] = []
    if let commit = cache.commit(of: revision) {
      let names = cache.files(at: commit), place = cache.snapshot(commit)
      do throws(HubError) {
        let selection = try HubSelection(of: names, reference)
        var needed = selection.weights
        if let index = selection.index {
          needed += (try? WeightFiles.named(byIndex: "\(place)/\(index)")) ?? [index]
        }
        missing = needed.filter { !names.contains($0) }
        // Which of several files is meant is for the Hub's list to say, not for what was fetched.
        let isSure = selection.file == reference.file && selection.hasUsualOthers
        if missing.isEmpty, isSure || settings.isOffline { return path(of: selection, in: place) }
      } catch {
        if settings.isOffline, case .severalFiles = error { throw error }
        if let file = reference.file { missing = [file] }
      }
    }
    guard settings.isOffline else { return nil }
    throw .offline(reference.text, cache: settings.cache, missing: missing)
  }

  private func path(of selection: HubSelection, in snapshot: String) -> String {
    selection.file.map { "\(snapshot)/\($0)" } ?? snapshot
  }
}

/// What a repository holds at the commit that is meant.
struct HubContents: Sendable {
  let commit: String
  let names: [String]
  let selection: HubSelection
  private let reference: HubReference

  init(_ client: HubClient) throws(HubError) {
    reference = client.reference
    (commit, names) = try client.listing(on: client.connection())
    selection = try HubSelection(of: names, reference)
  }

  /// The files that the index at `path` names, all of which are there.
  func files(namedByIndex path: String) throws(HubError) -> [String] {
    let files: [String]
    do {
      files = try WeightFiles.named(byIndex: path)
    } catch {
      throw .answer(reference.text, url: RelativeName.last(path), reason: error.what)
    }
    if let lost = files.first(where: { !names.contains($0) }) {
      throw .noFile(reference.text, file: lost, nearest: nil, found: names)
    }
    return files
  }
}
