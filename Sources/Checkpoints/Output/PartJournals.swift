import Glibc

/// The journals of the processes that help to write a directory, beside that of its owner.
///
/// Each process lists its own files, so that no finished file is lost with another process.
struct PartJournals {
  private let directory: String
  private let paths: [String]

  private static let prefix = OutputJournal.fileName + ".part"

  /// Those in the partial output `directory`.
  init(of directory: String) {
    self.directory = directory
    let names = (try? FileStatus.names(in: directory)) ?? []
    paths = names.filter { $0.hasPrefix(Self.prefix) && !$0.hasSuffix(".new") }.sorted()
      .map { RelativeName.join(directory, $0) }
  }

  /// The name of the journal of process `part`.
  static func fileName(_ part: Int) -> String { "\(prefix)\(part)" }

  /// The files that they list.
  func records(_ fingerprint: [String: String]) throws(CheckpointError) -> [FileRecord] {
    var records: [FileRecord] = []
    for path in paths {
      records += try OutputJournal.read(path, directory: directory, fingerprint: fingerprint)
        .records
    }
    return records
  }

  /// Throws when a process of an earlier run still writes.
  func requireUnused() throws(CheckpointError) {
    for path in paths {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK {
        throw .partialInUse(path: directory)
      }
    }
  }

  /// Whether no file is listed.
  var areEmpty: Bool {
    paths.allSatisfy { path in
      guard let file = try? MappedFile(path: path) else { return true }
      return file.bytes.count { $0 == UInt8(ascii: "\n") } <= 1
    }
  }

  /// Removes them.
  func remove() throws(CheckpointError) {
    for path in paths where unlink(path) != 0 {
      throw .system(file: path, operation: .remove, errno: errno)
    }
  }
}
