import CFileSystem
import Glibc

/// Questions about paths that the system answers without opening a file, and changes of directories.
/// Symbolic links are followed, unless said otherwise: model caches store shards as links.
package enum FileStatus {
  /// Whether something exists at `path`.
  package static func exists(_ path: String) -> Bool { status(path) != nil }

  /// Whether `path` is taken, be it by a link that leads nowhere.
  static func isTaken(_ path: String) -> Bool { ownType(path) != nil }

  /// Whether `path` itself is a symbolic link.
  static func isLink(_ path: String) -> Bool { ownType(path) == S_IFLNK }

  /// Whether both paths lead to the same file or directory, by whatever names.
  static func isSame(_ path: String, _ other: String) -> Bool {
    guard let one = status(path), let two = status(other) else { return false }
    return one.st_ino == two.st_ino && one.st_dev == two.st_dev
  }

  /// Who may read and write what is made from the files among `paths`: whoever may read each of
  /// them, and the owner. `umask` takes more away.
  static func permissions(madeFrom paths: [String]) -> mode_t {
    paths.reduce(0o666) { mode, path in
      guard let status = status(path), status.st_mode & S_IFMT == S_IFREG else { return mode }
      // Whoever may read the source may read the output; writing it is no question of the source.
      let readable = status.st_mode & 0o444
      return mode & (readable | readable >> 1 | 0o600)
    }
  }

  /// Whether `path` is a directory.
  static func isDirectory(_ path: String) -> Bool {
    status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
  }

  /// The size of the regular file at `path`, or nil when there is none.
  package static func size(_ path: String) -> Int? {
    guard let status = status(path), status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
  }

  /// The names in a directory, sorted, without `.` and `..`.
  static func names(in directory: String) throws(CheckpointError) -> [String] {
    guard let stream = opendir(directory) else {
      throw .system(file: directory, operation: .list, errno: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The relative names of all files below `directory`, sorted; links are files.
  ///
  /// - Parameter withEmpty: directories that hold nothing too, their names ending in a slash.
  static func files(
    below directory: String, withEmpty: Bool = false
  ) throws(CheckpointError) -> [String] {
    var files: [String] = []
    for name in try names(in: directory) {
      let path = RelativeName.join(directory, name)
      if isRealDirectory(path) {
        let inside = try self.files(below: path, withEmpty: withEmpty)
        files += inside.map { "\(name)/\($0)" }
        if inside.isEmpty && withEmpty { files.append(name + "/") }
      } else {
        files.append(name)
      }
    }
    return files
  }

  /// The relative names of all files below `directory`, sorted. Whatever is neither a directory nor
  /// a regular file is refused, symbolic links included.
  package static func regularFiles(below directory: String) throws(CheckpointError) -> [String] {
    let names = try files(below: directory)
    for name in names {
      let path = RelativeName.join(directory, name)
      guard let type = ownType(path) else {
        throw .system(file: path, operation: .inspect, errno: errno)
      }
      guard type == S_IFREG else { throw .notRegularFile(file: path) }
    }
    return names
  }

  /// Bytes that may still be written to the file system that holds the directory `path`; nil when
  /// it does not say.
  package static func freeBytes(at path: String) -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    let (bytes, overflow) = Int(status.f_bavail).multipliedReportingOverflow(
      by: Int(status.f_frsize))
    return overflow ? nil : bytes
  }

  /// Whether `path` itself is a directory, not a link to one.
  static func isRealDirectory(_ path: String) -> Bool { ownType(path) == S_IFDIR }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  /// What `path` itself is, be it a link; nil when nothing is there.
  private static func ownType(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

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
