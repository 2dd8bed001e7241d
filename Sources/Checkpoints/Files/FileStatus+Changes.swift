import CFileSystem
import Glibc

extension FileStatus {
  /// Waits until the entries of `directory` are on disk.
  static func sync(directory: String) throws(CheckpointError) {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(file: directory, operation: .open, errno: errno) }
    defer { close(descriptor) }
    // Some network file systems cannot sync a directory; there is nothing more to do then.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw .system(file: directory, operation: .sync, errno: errno)
    }
  }

  /// Creates `directory` and its missing parents. Returns those created, outermost first.
  static func createDirectories(_ directory: String) throws(CheckpointError) -> [String] {
    if isDirectory(directory) { return [] }
    let parents = try createDirectories(RelativeName.directory(directory))
    guard mkdir(directory, 0o777) == 0 else {
      // Another thread or process may have created it meanwhile.
      if errno == EEXIST && isDirectory(directory) { return parents }
      throw .system(file: directory, operation: .create, errno: errno)
    }
    return parents + [directory]
  }

  /// Removes a file or a whole directory.
  static func removeTree(_ path: String) throws(CheckpointError) {
    guard cfs_remove_tree(path) == 0 else {
      throw .system(file: path, operation: .remove, errno: errno)
    }
  }

  /// Removes the directories below `directory` that hold no file.
  static func removeEmptyDirectories(below directory: String) throws(CheckpointError) {
    for name in try names(in: directory) {
      let path = RelativeName.join(directory, name)
      guard isRealDirectory(path) else { continue }
      try removeEmptyDirectories(below: path)
      rmdir(path)
    }
  }

  /// The path with all links and dots resolved, or nil when nothing is there.
  static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Whether `path` is `directory` or lies below it; both must exist.
  package static func contains(_ directory: String, _ path: String) -> Bool {
    guard let directory = resolved(directory), let path = resolved(path) else { return false }
    return path == directory || directory == "/" || path.hasPrefix(directory + "/")
  }
}
