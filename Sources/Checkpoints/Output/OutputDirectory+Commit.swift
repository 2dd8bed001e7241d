import CFileSystem
import Glibc
import StrictJSON
import Synchronization

extension OutputDirectory {
  /// Makes the output appear at its final path, replacing an old one if that was asked for.
  ///
  /// Every step leaves something that the next run recognises and `tidyUp` finishes: the journal
  /// says that the output is whole; the directory gets its name; an old output, exchanged for it in
  /// one step where the file system can do that, gets a name that says what it is and is removed;
  /// intermediate files are removed; and last the journal.
  public func commit() throws(CheckpointError) { try commit(CommitProbe()) }

  /// The same, ended by `probe` where that says so.
  package func commit(_ probe: CommitProbe) throws(CheckpointError) {
    precondition(part == 0)
    let open = state.withLock { $0.open.map(\.text).sorted() }
    guard open.isEmpty else { throw .unfinishedFiles(path: partialPath, files: open) }
    try requireSameInputs()
    try state.withLock { state throws(CheckpointError) in try state.journal?.markWhole() }
    try FileStatus.sync(directory: partialPath)
    try probe.passed(.marked)
    try moveIntoPlace(probe)
    state.withLock {
      $0.isInPlace = true
      $0.journal = nil
    }
    try FileStatus.sync(directory: RelativeName.directory(path))
    try probe.passed(.moved)
    try OutputDirectory.finishCommit(of: path, probe)
    state.withLock { $0.lock = nil }
  }

  /// Throws when a file that this run reads is another one than when it was opened; what was made
  /// from both is removed.
  public func requireSameInputs() throws(CheckpointError) {
    do throws(CheckpointError) {
      try SourceFiles.requireUnchanged(inputs)
    } catch {
      // Files of two versions may be finished, and no later run would find the one it began with.
      if part == 0 { try? OutputDirectory.removeAll(partialPath) }
      throw error
    }
  }

  /// Runs `body`, and abandons the directory when it throws.
  public func orAbandon<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      abandon()
      throw error
    }
  }

  /// Removes everything that this run created, for errors found before the first file was
  /// finished. A run that continues an earlier one, has finished files or a workspace leaves them
  /// for `--resume`.
  public func abandon() {
    let (isEmpty, isInPlace) = state.withLock { state in
      state.journal = nil
      return (state.finished.isEmpty, state.isInPlace)
    }
    let isUseless =
      !isResumable
      || isEmpty && !isResumed && !hasWorkspace && PartJournals(of: partialPath).areEmpty
    if isUseless && !isInPlace {
      if FileStatus.isTaken(partialPath) { try? OutputDirectory.removeAll(partialPath) }
      for parent in createdParents.reversed() { rmdir(parent) }
    }
    state.withLock { $0.lock = nil }
  }

  /// Renames the partial directory; an old output has another name then.
  private func moveIntoPlace(_ probe: CommitProbe) throws(CheckpointError) {
    if cfs_rename_new(partialPath, path) == 0 { return }
    switch errno {
    case EEXIST: break
    case EINVAL, ENOSYS:
      // The file system cannot check and rename in one step.
      if !FileStatus.isTaken(path) { return try OutputDirectory.move(partialPath, to: path) }
    case let code: throw .system(file: path, operation: .rename, errno: code)
    }
    guard replaces else {
      throw isResumable ? .outputInTheWay(path: path) : .outputExists(path: path)
    }
    try OutputDirectory.requireReplaceable(path, inputs: inputs)
    if probe.exchanges && cfs_rename_exchange(partialPath, path) == 0 { return }
    let old = OutputDirectory.replacedPath(path)
    try OutputDirectory.move(path, to: old)
    try probe.passed(.setAside)
    do throws(CheckpointError) {
      try OutputDirectory.move(partialPath, to: path)
    } catch {
      try OutputDirectory.move(old, to: path)
      throw error
    }
  }

  private static func move(_ from: String, to: String) throws(CheckpointError) {
    guard rename(from, to) == 0 else {
      throw .system(file: to, operation: .rename, errno: errno)
    }
  }

  /// What the output `path` is called once another has its name, until it is removed.
  static func replacedPath(_ path: String) -> String { path + ".spikingbrain-replaced" }

  /// Removes what is not part of the output `path`, which has its name: the output that it replaced,
  /// intermediate files, journals.
  private static func finishCommit(
    of path: String, _ probe: CommitProbe = CommitProbe()
  ) throws(CheckpointError) {
    let partial = path + ".partial", old = replacedPath(path)
    // The exchange leaves the old output there; a journal would be that of another run.
    if FileStatus.isRealDirectory(partial), let lock = try? DirectoryLock(partial),
      let own = try? OwnDirectory(partial), own.journal == nil
    {
      if FileStatus.isTaken(old) { try FileStatus.removeTree(old) }
      try move(partial, to: old)
      withExtendedLifetime(lock) {}
      try probe.passed(.setAside)
    }
    if FileStatus.isTaken(old) { try FileStatus.removeTree(old) }
    try probe.passed(.oldRemoved)
    let work = RelativeName.join(path, workspaceName)
    if FileStatus.isTaken(work) { try FileStatus.removeTree(work) }
    try probe.passed(.workRemoved)
    let journals = try FileStatus.names(in: path).filter { $0.hasPrefix(OutputJournal.fileName) }
    // The journal itself last: it says that there is something to remove.
    for name in journals.sorted(by: >) {
      let journal = RelativeName.join(path, name)
      guard unlink(journal) == 0 else {
        throw .system(file: journal, operation: .remove, errno: errno)
      }
    }
    try FileStatus.sync(directory: path)
  }

  /// Finishes what a run that was killed while it committed has left beside or at `path`. With
  /// `resume`, an output that is whole but for its name gets it.
  static func tidyUp(after path: String, resume: Bool) throws(CheckpointError) {
    let partial = path + ".partial", old = replacedPath(path)
    if FileStatus.isRealDirectory(path), isWholeByJournal(path) {
      let lock = try DirectoryLock(path)
      try finishCommit(of: path)
      withExtendedLifetime(lock) {}
    } else if FileStatus.isRealDirectory(old) {
      if FileStatus.isTaken(path) {
        try FileStatus.removeTree(old)
      } else {
        try move(old, to: path)
      }
    }
    guard resume, !FileStatus.isTaken(path), FileStatus.isRealDirectory(partial) else { return }
    let lock = try DirectoryLock(partial)
    try PartJournals(of: partial).requireUnused()
    guard try OwnDirectory(partial).isWhole else { return }
    try move(partial, to: path)
    try finishCommit(of: path)
    withExtendedLifetime(lock) {}
  }

  private static func isWholeByJournal(_ path: String) -> Bool {
    (try? OutputJournal.contents(in: path))?.isWhole ?? false
  }
}

/// The points of a commit at which a run may be killed.
package enum CommitStep: Sendable {
  case marked, setAside, moved, oldRemoved, workRemoved
}

/// Lets tests kill a run at each of them.
package struct CommitProbe {
  /// Whether directories are exchanged where the file system can.
  package var exchanges: Bool
  /// Asked after each step; an error that it returns ends the run there as a kill would.
  package var ending: (CommitStep) -> CheckpointError?

  /// A probe; without arguments one that changes nothing.
  package init(
    exchanges: Bool = true, ending: @escaping (CommitStep) -> CheckpointError? = { _ in nil }
  ) {
    self.exchanges = exchanges
    self.ending = ending
  }

  func passed(_ step: CommitStep) throws(CheckpointError) {
    if let error = ending(step) { throw error }
  }
}

extension OutputDirectory {
  /// Finishes the commit of an output that is whole, but was killed before all was in its place.
  package static func finishInterrupted(_ path: String) throws(CheckpointError) {
    try tidyUp(after: normalised(path), resume: true)
  }

  /// Whether the output `path` is there, as `matches` says of its manifest, and none of `inputs` was
  /// changed since. A commit that was interrupted is finished.
  package static func isComplete(
    _ path: String, inputs: [String], matches: (Manifest) -> Bool
  ) throws(CheckpointError) -> Bool {
    let path = try normalised(path)
    try finishInterrupted(path)
    guard let manifest = try? Manifest(directory: path), matches(manifest),
      let written = FileIdentity(path: RelativeName.join(path, Manifest.fileName))
    else { return false }
    let isWhole = manifest.files.allSatisfy {
      FileStatus.size(RelativeName.join(path, $0.name)) == $0.bytes
    }
    return isWhole
      && inputs.allSatisfy { input in
        FileIdentity(path: input).map { $0.modified <= written.modified } ?? true
      }
  }

  /// The same of an output that has no manifest of its own: whether it holds `records`, and nothing
  /// else.
  package static func isComplete(
    _ path: String, records: [FileRecord]
  ) throws(CheckpointError) -> Bool {
    let path = try normalised(path)
    try finishInterrupted(path)
    guard FileStatus.isRealDirectory(path) else { return false }
    let names = Set(try FileStatus.files(below: path).map { ExactKey(text: $0) })
    return names == Set(records.map { ExactKey(text: $0.name) })
      && records.allSatisfy { $0.isIntact(in: path) }
  }
}
