import Glibc
import StrictJSON
import Synchronization
public import TensorTypes

/// A directory that appears complete or not at all.
///
/// Files are written to `OUT.partial/`, which is locked while a process works on it and holds a
/// journal of the files. `commit` renames it to OUT. A killed run leaves only `OUT.partial/`;
/// `begin` with `resume` continues it when the fingerprint (versions and hashes of whatever
/// determines the output) is the same.
public final class OutputDirectory: Sendable {
  /// The final path.
  public let path: String
  /// The directory being written.
  public let partialPath: String

  /// What determines the output, by name.
  public let fingerprint: [String: String]

  /// Which of the processes writing it this is: 0 owns the directory, the others add files.
  let part: Int
  /// Whether an older output is replaced.
  let replaces: Bool
  let isResumed: Bool
  let isResumable: Bool
  let createdParents: [String]
  /// What is read meanwhile.
  let inputs: [String]
  let state: Mutex<State>

  /// What changes while files are written.
  struct State {
    var lock: DirectoryLock?
    var journal: OutputJournal?
    var finished: [FileRecord]
    var open: Set<ExactKey> = []
    /// Whether the directory has its final name.
    var isInPlace = false
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
  ///   - resume: continue `OUT.partial` if there is one, and replace an existing OUT if the run that
  ///     is continued was to do that.
  ///   - force: replace an existing OUT when committing; without `resume`, remove an existing
  ///     `OUT.partial`.
  ///   - isResumable: whether a run can be continued; what others left behind is written anew.
  ///   - inputs: paths that are read meanwhile, which the output must not replace.
  public init(
    begin path: String, fingerprint: [String: String], resume: Bool = false, force: Bool = false,
    isResumable: Bool = true, inputs: [String] = []
  ) throws(CheckpointError) {
    let path = try OutputDirectory.normalised(path)
    let partial = path + ".partial"
    try OutputDirectory.tidyUp(after: path, resume: resume)
    func requireFree(replacing: Bool) throws(CheckpointError) {
      guard FileStatus.isTaken(path) else { return }
      guard replacing else {
        // Nobody is told to use --force where that would be refused.
        do throws(CheckpointError) {
          try OutputDirectory.requireReplaceable(path, inputs: inputs)
        } catch .outputNotReplaceable(_, let reason) {
          throw .outputForeign(path: path, reason: reason)
        }
        throw resume ? .outputDiffers(path: path) : .outputExists(path: path)
      }
      try OutputDirectory.requireReplaceable(path, inputs: inputs)
    }
    // Before anything is created.
    if !FileStatus.isTaken(partial) { try requireFree(replacing: force) }
    let parents = try FileStatus.createDirectories(RelativeName.directory(path))
    let isNew = mkdir(partial, 0o777) == 0
    guard isNew || errno == EEXIST else {
      throw .system(file: partial, operation: .create, errno: errno)
    }
    guard FileStatus.isRealDirectory(partial) else {
      throw .outputNotReplaceable(path: partial, reason: "it is not a directory")
    }
    let lock = try DirectoryLock(partial)
    var contents = OutputJournal.Contents(fingerprint: fingerprint, replaces: force)
    var journal: OutputJournal?
    var isResumed = false
    if !isNew {
      try PartJournals(of: partial).requireUnused()
      for input in inputs where FileStatus.contains(partial, input) {
        throw .outputNotReplaceable(path: partial, reason: "it holds the input \(input)")
      }
      let own = try OwnDirectory(partial)
      // Killed before the journal appeared: nothing was done that could be lost.
      guard resume || force || !isResumable || own.isEmpty else {
        throw .partialExists(path: partial)
      }
      if resume, let left = own.journal {
        try left.requireSame(fingerprint, directory: partial)
        contents.replaces = left.replaces
        if FileStatus.isTaken(path), !left.replaces { throw .outputInTheWay(path: path) }
        (journal, contents.records) = try OutputDirectory.resume(own, left)
        isResumed = true
      } else {
        try OutputDirectory.removeFiles(own.names, in: own, withWorkspace: true)
      }
      try requireFree(replacing: contents.replaces)
    }
    self.path = path
    self.partialPath = partial
    self.fingerprint = fingerprint
    self.part = 0
    self.replaces = contents.replaces
    self.isResumed = isResumed
    self.isResumable = isResumable
    self.inputs = inputs
    self.createdParents = parents
    if journal == nil { journal = try OutputJournal(directory: partial, contents: contents) }
    self.state = Mutex(State(lock: lock, journal: journal, finished: contents.records))
  }

  /// Joins the writing of the directory `path`, which another process has begun and will commit.
  ///
  /// - Parameters:
  ///   - part: 1 or more, another number for each process.
  ///   - fingerprint: that of the process that began it.
  ///   - finished: the files that were there when it began.
  ///   - inputs: paths that are read meanwhile.
  public init(
    join path: String, part: Int, fingerprint: [String: String], finished: [FileRecord],
    inputs: [String] = []
  ) throws(CheckpointError) {
    self.path = try OutputDirectory.normalised(path)
    partialPath = self.path + ".partial"
    self.fingerprint = fingerprint
    self.part = part
    self.inputs = inputs
    replaces = false
    isResumed = true
    isResumable = true
    createdParents = []
    let journal = try OutputJournal(
      directory: partialPath, contents: .init(fingerprint: fingerprint, replaces: false),
      part: part)
    state = Mutex(State(journal: journal, finished: finished))
  }

  /// The files finished by this run and, when resumed, by earlier ones.
  public var finishedFiles: [FileRecord] { state.withLock { $0.finished } }

  /// A directory for intermediate files, inside the partial one: what a resumed run finds as it
  /// was left, and what is not part of the output. Nobody else may read it.
  public func workspace() throws(CheckpointError) -> String {
    let path = RelativeName.join(partialPath, OutputDirectory.workspaceName)
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw .system(file: path, operation: .create, errno: errno)
    }
    return path
  }

  static let workspaceName = ".work"

  /// Whether a run has left intermediate files.
  var hasWorkspace: Bool {
    FileStatus.exists(RelativeName.join(partialPath, OutputDirectory.workspaceName))
  }

  /// Continues the journal of an interrupted run and removes every file that was not finished, or
  /// that is not what it was then.
  private static func resume(
    _ own: OwnDirectory, _ left: OutputJournal.Contents
  ) throws(CheckpointError) -> (OutputJournal, [FileRecord]) {
    let intact = own.records.filter { $0.isIntact(in: own.path) }
    let kept = Set(intact.map { ExactKey(text: $0.name) })
    var contents = left
    contents.records = intact
    // What the parts listed is kept in one journal before theirs are removed. Files that were begun
    // stay in it until they are gone.
    let unfinished = own.names.filter {
      !kept.contains(ExactKey(text: $0)) && $0 != OutputJournal.fileName
    }
    if intact == left.records {
      try removeFiles(unfinished, in: own)
      return (try OutputJournal(continuing: own.path, left), intact)
    }
    try removeFiles(
      unfinished.filter { !$0.hasPrefix(OutputJournal.fileName) }, in: own)
    let journal = try OutputJournal(directory: own.path, contents: contents)
    try removeFiles(unfinished.filter { $0.hasPrefix(OutputJournal.fileName) }, in: own)
    return (journal, intact)
  }

  /// Removes the files called `names` and the directories that are empty then, the journal last.
  private static func removeFiles(
    _ names: [String], in own: OwnDirectory, withWorkspace: Bool = false
  ) throws(CheckpointError) {
    func remove(_ name: String) throws(CheckpointError) {
      let path = RelativeName.join(own.path, name)
      if FileStatus.isTaken(path) { try FileStatus.removeTree(path) }
    }
    for name in names where name != OutputJournal.fileName { try remove(name) }
    if withWorkspace && own.journal != nil { try remove(workspaceName) }
    try FileStatus.removeEmptyDirectories(below: own.path)
    if names.contains(OutputJournal.fileName) { try remove(OutputJournal.fileName) }
  }

  /// `path` without trailing slashes; it must name a new entry of a directory.
  static func normalised(_ path: String) throws(CheckpointError) -> String {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    let last = RelativeName.last(path)
    guard RelativeName.isValid(last), last != ".", last != ".." else {
      throw .outputNotReplaceable(path: path, reason: "it is not the name of a directory to create")
    }
    return path
  }

  /// Starts the file `name`, which may lie in a subdirectory.
  ///
  /// Several files may be open at once, each used by one thread.
  public func file(named name: String) throws(CheckpointError) -> OutputFile {
    guard OutputDirectory.accepts(name) else {
      throw .invalidFileName(file: partialPath, name: name)
    }
    let isNew = state.withLock { state in
      !state.finished.contains { ExactKey(text: $0.name) == ExactKey(text: name) }
        && state.open.insert(ExactKey(text: name)).inserted
    }
    guard isNew else { throw .alreadyWritten(path: partialPath, file: name) }
    // The journal accounts for the file before it is there.
    try state.withLock { state throws(CheckpointError) in try state.journal?.begin(name) }
    let path = RelativeName.join(partialPath, name)
    for created in try FileStatus.createDirectories(RelativeName.directory(path)) {
      try FileStatus.sync(directory: RelativeName.directory(created))
    }
    let stream = try FileStream(
      path: path, mode: FileStatus.permissions(madeFrom: SourceFiles.all(inputs)),
      isResumable: isResumable)
    return OutputFile(name: name, stream: stream, directory: self)
  }

  /// Whether a file of an output directory may have this name: inside it, and not that of anything
  /// that exists only while it is written.
  package static func accepts(_ name: String) -> Bool {
    RelativeName.isValid(name) && !name.hasPrefix(OutputJournal.fileName)
      && !name.hasPrefix(workspaceName + "/")
  }

  /// Writes a whole small file.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String) throws(CheckpointError) -> FileRecord {
    let file = try file(named: name)
    try file.write(bytes)
    return try file.finish()
  }

  /// Lists files that other processes have finished and listed in journals of their own.
  ///
  /// They have ended their part: this owner may `commit` then.
  public func adopt(_ records: [FileRecord]) throws(CheckpointError) {
    let known = Set(finishedFiles.map { ExactKey(text: $0.name) })
    for record in records where !known.contains(ExactKey(text: record.name)) {
      try state.withLock { state throws(CheckpointError) in
        try state.journal?.append(record)
        state.finished.append(record)
      }
    }
  }

  /// Ends the part of a process that has joined: it writes no more files.
  public func endPart() { state.withLock { $0.journal = nil } }

  /// Records a file that was synced and closed.
  func record(_ record: FileRecord) throws(CheckpointError) {
    try FileStatus.sync(
      directory: RelativeName.directory(RelativeName.join(partialPath, record.name)))
    try state.withLock { state throws(CheckpointError) in
      try state.journal?.append(record)
      state.open.remove(ExactKey(text: record.name))
      state.finished.append(record)
    }
  }
}

/// A file of an output directory while it is being written.
///
/// A file that is not finished is not part of the output: a resumed run writes it again.
public final class OutputFile {
  /// The name relative to the output directory.
  public let name: String
  private let stream: FileStream
  private let directory: OutputDirectory
  private var tensors: [String: SHA256Digest] = [:]

  init(name: String, stream: FileStream, directory: OutputDirectory) {
    self.name = name
    self.stream = stream
    self.directory = directory
  }

  /// The number of bytes written so far.
  public var bytesWritten: Int { stream.bytesWritten }

  /// Appends `bytes`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    try stream.write(bytes)
  }

  /// Appends `bytes`.
  public func write(_ bytes: [UInt8]) throws(CheckpointError) { try stream.write(bytes) }

  /// Appends `count` zero bytes as a hole.
  public func writeHole(_ count: Int) throws(CheckpointError) { try stream.writeHole(count) }

  /// Appends the bytes of `view` as they are stored, dropping its pages as they are written.
  public func writeStored(_ view: TensorView) throws(CheckpointError) {
    try stream.writeStored(view)
  }

  /// Writes the tensor `name`, which is all that `body` appends, and keeps its digest.
  public func tensor(_ name: String, body: () throws -> Void) throws {
    stream.startPart()
    try body()
    tensors[name] = stream.finishPart()
  }

  /// Syncs the file and records it in the journal, unless `check` throws.
  public func finish(
    check: (FileRecord) throws(CheckpointError) -> Void = { _ in }
  ) throws(CheckpointError) -> FileRecord {
    let (bytes, digest) = try stream.finish()
    let record = FileRecord(name: name, bytes: bytes, sha256: digest, tensors: tensors)
    try check(record)
    try directory.record(record)
    return record
  }
}
