import CFileSystem
import Glibc
import Synchronization

extension OutputDirectory {
  /// Makes the output appear at its final path, replacing an old one if `force` was given.
  ///
  /// The old output is swapped out in one atomic step where the file system can do that, and
  /// removed after the new one is in place.
  public func commit() throws(CheckpointError) {
    precondition(part == 0)
    let (open, finished) = state.withLock { ($0.open.sorted(), $0.finished) }
    guard open.isEmpty else { throw .unfinishedFiles(path: partialPath, files: open) }
    if hasWorkspace {
      try FileStatus.removeTree(RelativeName.join(partialPath, OutputDirectory.workspaceName))
    }
    let journalPath = RelativeName.join(partialPath, OutputJournal.fileName)
    try PartJournals(of: partialPath).remove()
    state.withLock { $0.journal = nil }
    guard unlink(journalPath) == 0 else {
      throw .system(file: journalPath, operation: .remove, errno: errno)
    }
    let replaced: String?
    do throws(CheckpointError) {
      try FileStatus.sync(directory: partialPath)
      replaced = try moveIntoPlace()
    } catch {
      // All files are finished: keep that knowledge for the next attempt.
      let journal = try? OutputJournal(
        directory: partialPath, fingerprint: fingerprint, records: finished)
      state.withLock { $0.journal = journal }
      throw error
    }
    try FileStatus.sync(directory: RelativeName.directory(path))
    if let replaced { try FileStatus.removeTree(replaced) }
    state.withLock { $0.lock = nil }
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
    let isEmpty = state.withLock { state in
      state.journal = nil
      return state.finished.isEmpty
    }
    if isEmpty && !isResumed && !hasWorkspace && PartJournals(of: partialPath).areEmpty {
      try? FileStatus.removeTree(partialPath)
      for parent in createdParents.reversed() { rmdir(parent) }
    }
    state.withLock { $0.lock = nil }
  }

  /// Renames the partial directory. Returns where the old output, if any, lies now.
  private func moveIntoPlace() throws(CheckpointError) -> String? {
    if cfs_rename_new(partialPath, path) == 0 { return nil }
    switch errno {
    case EEXIST: break
    case EINVAL, ENOSYS:
      // The file system cannot check and rename in one step.
      if !FileStatus.exists(path) {
        try move(partialPath, to: path)
        return nil
      }
    case let code: throw .system(file: path, operation: .rename, errno: code)
    }
    guard force else { throw .outputExists(path: path) }
    if cfs_rename_exchange(partialPath, path) == 0 { return partialPath }
    let old = "\(path).replaced-\(getpid())"
    try move(path, to: old)
    do throws(CheckpointError) {
      try move(partialPath, to: path)
    } catch {
      try move(old, to: path)
      throw error
    }
    return old
  }

  private func move(_ from: String, to: String) throws(CheckpointError) {
    guard rename(from, to) == 0 else {
      throw .system(file: to, operation: .rename, errno: errno)
    }
  }
}
