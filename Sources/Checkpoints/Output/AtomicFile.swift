import CFileSystem
import Glibc

/// A file that appears complete or not at all.
///
/// It is written as `FILE.partial`, which is locked meanwhile, removed when this is released before
/// `commit`, and written anew when a killed run left it behind.
public final class AtomicFile {
  /// The final path.
  public let path: String

  private let partialPath: String
  private let force: Bool
  private let writer: FileWriter
  private var isCommitted = false

  /// Starts writing the file `path`; an existing one is refused unless `force` is given.
  public init(path: String, force: Bool) throws(CheckpointError) {
    try AtomicFile.checkReplaceable(path, force: force)
    self.path = path
    self.force = force
    partialPath = path + ".partial"
    writer = FileWriter(descriptor: try AtomicFile.openLocked(partialPath), path: partialPath)
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
    try bytes.withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) in try write(bytes) }
    }.get()
  }

  /// Syncs the file and makes it appear at its final path.
  public func commit() throws(CheckpointError) {
    try writer.sync()
    var code = force ? rename(partialPath, path) : cfs_rename_new(partialPath, path)
    if code != 0 && !force && (errno == EINVAL || errno == ENOSYS) {
      // The file system cannot check and rename in one step.
      try AtomicFile.checkReplaceable(path, force: false)
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

  /// Refuses `path` when something is there that may not be replaced.
  public static func checkReplaceable(_ path: String, force: Bool) throws(CheckpointError) {
    guard FileStatus.exists(path) else { return }
    guard force else { throw .outputExists(path: path) }
    guard FileStatus.size(path) != nil else {
      throw .outputNotReplaceable(path: path, reason: "it is not a file")
    }
  }

  /// Opens the file at `path` empty, and locked.
  private static func openLocked(_ path: String) throws(CheckpointError) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
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
