import CFileSystem
import Glibc

/// A file that appears complete or not at all.
///
/// It is written under a name that nobody else uses, which is locked meanwhile, removed when this is
/// released before `commit`, and written anew when a killed run left it behind.
public final class AtomicFile {
  /// The final path.
  public let path: String

  private let partialPath: String
  private let replaces: Bool
  private let inputs: [String]
  private let writer: FileWriter
  private var isCommitted = false

  /// What is appended to the name of a file while it is written.
  static let partialSuffix = ".spikingbrain-partial"

  /// Starts writing the file `path`.
  ///
  /// - Parameters:
  ///   - force: replace whatever file is there.
  ///   - inputs: files and directories that are read meanwhile: none of their files is replaced, and
  ///     nobody may read the output who may not read them.
  ///   - isOwn: whether this program wrote the file that is there, so that it is replaced without
  ///     `force`; asked for what it holds.
  public init(
    path: String, force: Bool, inputs: [String] = [], isOwn: (String) -> Bool = { _ in false }
  ) throws(CheckpointError) {
    replaces = try AtomicFile.checkReplaceable(path, force: force, inputs: inputs, isOwn: isOwn)
    self.path = path
    self.inputs = inputs
    partialPath = path + AtomicFile.partialSuffix
    let mode = FileStatus.permissions(madeFrom: SourceFiles.all(inputs))
    writer = FileWriter(
      descriptor: try AtomicFile.openLocked(partialPath, mode: mode), path: partialPath,
      isResumable: false)
  }

  deinit { if !isCommitted { unlink(partialPath) } }

  /// The number of bytes written so far.
  public var bytesWritten: Int { writer.bytesWritten }

  /// Appends `bytes`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    try writer.write(bytes)
  }

  /// Appends `bytes`.
  public func write(_ bytes: [UInt8]) throws(CheckpointError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(CheckpointError) in try write(bytes) }
  }

  /// Syncs the file and makes it appear at its final path.
  public func commit() throws(CheckpointError) {
    try SourceFiles.requireUnchanged(inputs)
    try writer.sync()
    var code = replaces ? rename(partialPath, path) : cfs_rename_new(partialPath, path)
    if code != 0 && !replaces && (errno == EINVAL || errno == ENOSYS) {
      // The file system cannot check and rename in one step.
      guard !FileStatus.isTaken(path) else { throw .outputExists(path: path) }
      code = rename(partialPath, path)
    }
    guard code == 0 else {
      if errno == EEXIST { throw .outputExists(path: path) }
      throw .system(file: path, operation: .rename, errno: errno)
    }
    isCommitted = true
    try FileStatus.sync(directory: RelativeName.directory(path))
    // Closing gives up the lock, so it comes last.
    try writer.close()
  }

  /// Whether something is at `path` that will be replaced; throws when it may not be. The parameters
  /// are those of `init`.
  @discardableResult
  public static func checkReplaceable(
    _ path: String, force: Bool, inputs: [String] = [], isOwn: (String) -> Bool = { _ in false }
  ) throws(CheckpointError) -> Bool {
    guard FileStatus.isTaken(path) else { return false }
    guard !FileStatus.isLink(path) else {
      throw .outputNotReplaceable(path: path, reason: "it is a symbolic link")
    }
    guard FileStatus.size(path) != nil else {
      throw .outputNotReplaceable(path: path, reason: "it is not a file")
    }
    let isOwn = isOwn(path)
    var sources = inputs
    // What this program wrote into a directory that it reads is no part of that.
    for input in inputs where !isOwn && FileStatus.isDirectory(input) {
      sources += try FileStatus.names(in: input).map { RelativeName.join(input, $0) }
    }
    for input in sources where FileStatus.isSame(path, input) {
      throw .outputNotReplaceable(path: path, reason: "it is the input \(input)")
    }
    guard force || isOwn else { throw .outputExists(path: path) }
    return true
  }

  /// Opens the file at `path` empty, and locked.
  private static func openLocked(_ path: String, mode: mode_t) throws(CheckpointError) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw .system(file: path, operation: .create, errno: errno) }
    do throws(CheckpointError) {
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
        throw .partialInUse(path: path)
      }
      // The holder may have renamed the file between our open and our lock.
      var locked = stat()
      var current = stat()
      guard fstat(descriptor, &locked) == 0, lstat(path, &current) == 0,
        locked.st_ino == current.st_ino, locked.st_dev == current.st_dev
      else { throw .partialInUse(path: path) }
      guard ftruncate(descriptor, 0) == 0 else {
        throw .system(file: path, operation: .create, errno: errno)
      }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }
}
