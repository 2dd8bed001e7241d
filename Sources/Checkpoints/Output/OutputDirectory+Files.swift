import Glibc
import StrictJSON
import Synchronization
public import TensorTypes

extension OutputDirectory {
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
    try state.withLock { state in
      Result { () throws(CheckpointError) in try state.journal?.begin(name) }
    }.get()
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
      try state.withLock { state in
        Result { () throws(CheckpointError) in
          try state.journal?.append(record)
          state.finished.append(record)
        }
      }.get()
    }
  }

  /// Ends the part of a process that has joined: it writes no more files.
  public func endPart() { state.withLock { $0.journal = nil } }

  /// Records a file that was synced and closed.
  func record(_ record: FileRecord) throws(CheckpointError) {
    try FileStatus.sync(
      directory: RelativeName.directory(RelativeName.join(partialPath, record.name)))
    try state.withLock { state in
      Result { () throws(CheckpointError) in
        try state.journal?.append(record)
        state.open.remove(ExactKey(text: record.name))
        state.finished.append(record)
      }
    }.get()
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

  /// Syncs the file and records it in the journal, unless `check` throws.
  public func finish(
    check: (FileRecord) throws(CheckpointError) -> Void = { _ in }
  ) throws(CheckpointError) -> FileRecord {
    let (bytes, digest) = try stream.finish()
    let record = FileRecord(name: name, bytes: bytes, sha256: digest)
    try check(record)
    try directory.record(record)
    return record
  }
}
