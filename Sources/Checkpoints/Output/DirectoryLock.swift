import Glibc

/// An advisory lock on a directory, held until this is released or the process ends.
///
/// The directory itself is locked, so there is no lock file to remove, and the lock follows the
/// directory when it is renamed. File systems that cannot lock a directory (some NFS versions)
/// go without.
final class DirectoryLock: Sendable {
  private let descriptor: Int32

  /// Locks the directory at `path` or throws `partialInUse`.
  init(_ path: String) throws(CheckpointError) {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(file: path, operation: .open, errno: errno) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EWOULDBLOCK: throw .partialInUse(path: path)
      case EBADF, ENOLCK, ENOTSUP, EINVAL, ENOSYS: break
      case let code: throw .system(file: path, operation: .lock, errno: code)
      }
    }
    // The holder may have renamed the directory between our open and our lock.
    var locked = stat()
    var current = stat()
    guard fstat(descriptor, &locked) == 0, lstat(path, &current) == 0,
      locked.st_ino == current.st_ino, locked.st_dev == current.st_dev
    else { throw .partialInUse(path: path) }
  }

  deinit { FileLock.release(descriptor) }
}

enum FileLock {
  /// Ends a lock and closes the file it is on. Closing alone would not end it while a child process is
  /// being started, which holds the file too until it runs its program.
  static func release(_ descriptor: Int32) {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
