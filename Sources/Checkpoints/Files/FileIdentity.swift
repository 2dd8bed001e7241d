import Glibc

/// What tells one version of a file from another without reading it.
///
/// Both times count: the first is what copying tools keep, the second is what no tool can set.
package struct FileIdentity: Sendable, Equatable {
  /// The file's number in its file system, which is what is overwritten in place keeps.
  let inode: UInt64
  /// The size in bytes.
  let bytes: Int
  /// When the contents last changed, and when anything of the file did; nanoseconds.
  let modified: Int
  let changed: Int

  init(_ status: stat) {
    func nanoseconds(_ time: timespec) -> Int { time.tv_sec &* 1_000_000_000 &+ time.tv_nsec }
    inode = UInt64(status.st_ino)
    bytes = Int(status.st_size)
    modified = nanoseconds(status.st_mtim)
    changed = nanoseconds(status.st_ctim)
  }

  /// That of the regular file at `path`; nil when there is none.
  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    self.init(status)
  }

  /// For the fingerprints of runs that are continued: each file among `paths` and its version.
  ///
  /// Directories are left out: one changes when an output is made inside it, and its files are
  /// inputs themselves.
  package static func fingerprint(of paths: [String]) -> [String: String] {
    paths.reduce(into: [:]) { fingerprint, path in
      guard let file = FileIdentity(path: path) else { return }
      fingerprint[FileStatus.resolved(path) ?? path] =
        "\(file.bytes) bytes of \(file.modified), \(file.changed), \(file.inode)"
    }
  }
}
