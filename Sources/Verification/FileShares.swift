import Checkpoints
import Communication

/// Which files of a checkpoint this process reads, when several share them.
struct FileShares {
  private let own: Set<String>

  /// Distributes files, by path and bytes.
  init(_ files: [(path: String, bytes: Int)], ranks: Communicator) {
    let shares = WorkShares(files.map(\.bytes), ranks: ranks.size)
    own = Set(zip(files, shares.owners).filter { $0.1 == ranks.rank }.map(\.0.path))
  }

  /// Distributes the files of a checkpoint by the tensors in them.
  init(of reader: any CheckpointReader, ranks: Communicator) {
    let bytes = reader.tensors.reduce(into: [String: Int]()) {
      $0[$1.file, default: 0] += $1.byteCount
    }
    self.init(
      bytes.sorted { $0.key < $1.key }.map { (path: $0.key, bytes: $0.value) }, ranks: ranks)
  }

  /// Whether the file at `path` is this process's.
  func isOwn(_ path: String) -> Bool { own.contains(path) }
}
