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

  /// What they say.
  func contents() throws(CheckpointError) -> [OutputJournal.Contents] {
    var contents: [OutputJournal.Contents] = []
    for path in paths { contents.append(try OutputJournal.contents(of: path)) }
    return contents
  }

  /// Throws when a process of an earlier run still writes.
  func requireUnused() throws(CheckpointError) {
    for path in paths {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      defer { FileLock.release(descriptor) }
      if flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK {
        throw .partialInUse(path: directory)
      }
    }
  }

  /// Whether no file is finished.
  var areEmpty: Bool { (try? contents().allSatisfy(\.records.isEmpty)) ?? true }
}
