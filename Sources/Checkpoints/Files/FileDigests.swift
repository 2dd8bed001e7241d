import StrictJSON
import Synchronization

/// Digests of whole files that this process has read, for those who ask again.
enum FileDigests {
  private static let known = Mutex<[ExactKey: (identity: FileIdentity, digest: SHA256Digest)]>([:])

  /// The SHA-256 of the file at `path` as it is now.
  static func digest(of path: String) throws(CheckpointError) -> SHA256Digest {
    let key = ExactKey(text: path), identity = FileIdentity(path: path)
    if let found = known.withLock({ $0[key] }), found.identity == identity { return found.digest }
    let digest = try SHA256.hashFile(path).digest
    if let identity, identity == FileIdentity(path: path) {
      known.withLock { $0[key] = (identity, digest) }
    }
    return digest
  }
}
