import Glibc
import Synchronization

/// A directory that appears complete or not at all.
///
/// Files are written to `OUT.partial/`, which is locked while a process works on it and holds a
/// journal of the finished files. `commit` renames it to OUT. A killed run leaves only
/// `OUT.partial/`; `begin` with `resume` continues it when the fingerprint (versions and hashes
/// of whatever determines the output) is the same.
public final class OutputDirectory: Sendable {
  /// The final path.
  public let path: String
  /// The directory being written.
  public let partialPath: String

  /// What determines the output, by name.
  public let fingerprint: [String: String]

  /// Which of the processes writing it this is: 0 owns the directory, the others add files.
  let part: Int
  let force: Bool
  let isResumed: Bool
  let createdParents: [String]
  let state: Mutex<State>

  /// What changes while files are written.
  struct State {
    var lock: DirectoryLock?
    var journal: OutputJournal?
    var finished: [FileRecord]
    var open: Set<String> = []
  }

  /// How a run treats what is already there.
  public struct Mode: Sendable {
    /// Continue an interrupted run.
    public var resume: Bool
    /// Replace an existing output.
    public var force: Bool

    /// A mode.
    public init(resume: Bool = false, force: Bool = false) {
      self.resume = resume
      self.force = force
    }
  }

  /// Starts or continues writing the directory `path`.
  ///
  /// - Parameters:
  ///   - fingerprint: what determines the output, by name; compared when resuming.
  ///   - resume: continue `OUT.partial` if there is one.
  ///   - force: replace an existing OUT when committing; without `resume`, remove an existing
  ///     `OUT.partial`.
  ///   - inputs: paths that are read meanwhile, which the output must not replace.
  public init(
    begin path: String, fingerprint: [String: String], resume: Bool = false, force: Bool = false,
    inputs: [String] = []
  ) throws(CheckpointError) {
    let path = try OutputGuard.normalised(path)
    let partial = path + ".partial"
    if FileStatus.exists(path) {
      guard force else { throw .outputExists(path: path) }
      try OutputGuard.checkReplaceable(path, inputs: inputs)
      try OutputGuard.checkOwn(path)
    }
    let parents = try FileStatus.createDirectories(RelativeName.directory(path))
    let isNew = mkdir(partial, 0o777) == 0
    guard isNew || errno == EEXIST else {
      throw .system(file: partial, operation: .create, errno: errno)
    }
    let lock = try DirectoryLock(partial)
    if !isNew { try PartJournals(of: partial).requireUnused() }
    var journal: OutputJournal?
    var finished: [FileRecord] = []
    if !isNew {
      try OutputGuard.checkReplaceable(partial, inputs: inputs)
      if resume {
        (journal, finished) = try OutputDirectory.resume(partial, fingerprint: fingerprint)
      } else if force {
        try OutputGuard.checkOwn(partial)
        try OutputDirectory.removeFiles(in: partial, except: [])
      } else {
        throw .partialExists(path: partial)
      }
    }
    self.path = path
    self.partialPath = partial
    self.fingerprint = fingerprint
    self.part = 0
    self.force = force
    self.isResumed = journal != nil
    self.createdParents = parents
    if journal == nil {
      journal = try OutputJournal(directory: partial, fingerprint: fingerprint)
    }
    self.state = Mutex(State(lock: lock, journal: journal, finished: finished))
  }

  /// Joins the writing of the directory `path`, which another process has begun and will commit.
  ///
  /// - Parameters:
  ///   - part: 1 or more, another number for each process.
  ///   - fingerprint: that of the process that began it.
  ///   - finished: the files that were there when it began.
  public init(
    join path: String, part: Int, fingerprint: [String: String], finished: [FileRecord]
  ) throws(CheckpointError) {
    self.path = try OutputGuard.normalised(path)
    partialPath = self.path + ".partial"
    self.fingerprint = fingerprint
    self.part = part
    force = false
    isResumed = true
    createdParents = []
    let journal = try OutputJournal(
      directory: partialPath, fingerprint: fingerprint, part: part)
    state = Mutex(State(journal: journal, finished: finished))
  }

  /// The files finished by this run and, when resumed, by earlier ones.
  public var finishedFiles: [FileRecord] { state.withLock { $0.finished } }

  /// A directory for intermediate files, inside the partial one: what a resumed run finds as it
  /// was left, and what is not part of the output.
  public func workspace() throws(CheckpointError) -> String {
    let path = RelativeName.join(partialPath, OutputDirectory.workspaceName)
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw .system(file: path, operation: .create, errno: errno)
    }
    return path
  }

  static let workspaceName = ".work"

  /// Whether a run has left intermediate files.
  var hasWorkspace: Bool {
    FileStatus.exists(RelativeName.join(partialPath, OutputDirectory.workspaceName))
  }

  /// Opens the journal of an interrupted run and removes every file that it does not list.
  private static func resume(
    _ partial: String, fingerprint: [String: String]
  ) throws(CheckpointError) -> (OutputJournal?, [FileRecord]) {
    guard
      let (journal, records) = try OutputJournal.resume(
        directory: partial, fingerprint: fingerprint)
    else {
      // Killed before the journal appeared: nothing was written yet.
      let leftovers = try FileStatus.names(in: partial)
      guard leftovers.allSatisfy({ $0.hasPrefix(OutputJournal.fileName) }) else {
        throw .nothingToResume(path: partial)
      }
      return (nil, [])
    }
    let parts = PartJournals(of: partial)
    let listed = Set(records.map(\.name))
    let all = records + (try parts.records(fingerprint)).filter { !listed.contains($0.name) }
    // A file was synced before it was listed; another size means that someone changed it.
    let intact = all.filter {
      FileStatus.size(RelativeName.join(partial, $0.name)) == $0.bytes
    }
    // What the parts listed is kept in one journal before theirs are removed.
    let whole =
      intact == records
      ? journal : try OutputJournal(directory: partial, fingerprint: fingerprint, records: intact)
    let kept = Set(intact.map(\.name) + [OutputJournal.fileName])
    try removeFiles(in: partial, except: kept, keepsWorkspace: true)
    return (whole, intact)
  }

  /// Removes all files but those `kept`, and the directories that are empty then.
  private static func removeFiles(
    in directory: String, except kept: Set<String>, keepsWorkspace: Bool = false
  ) throws(CheckpointError) {
    for name in try FileStatus.files(below: directory) where !kept.contains(name) {
      if keepsWorkspace && name.hasPrefix(workspaceName + "/") { continue }
      try FileStatus.removeTree(RelativeName.join(directory, name))
    }
    try FileStatus.removeEmptyDirectories(below: directory)
  }
}
