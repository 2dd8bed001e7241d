import Checkpoints
import Glibc

/// The hashes by which a Hub knows files.
enum HubDigest {
  /// Whether the file at `path` is `file`.
  ///
  /// An ETag of 64 digits is a SHA-256, one of 40 git's SHA-1; of others nothing is known, and the size
  /// has to do.
  static func isRight(_ path: String, _ file: HubFile) throws(HubError) -> Bool {
    guard FileStatus.size(path) == file.size else { return false }
    do {
      switch file.tag.utf8.count {
      case 64: return try SHA256.hashFile(path).digest.hex == file.tag
      case 40: return try gitBlob(path, size: file.size) == file.tag
      default: return true
      }
    } catch {
      throw .system(path: path, errno: EIO)
    }
  }

  /// What git calls a file of these bytes: the SHA-1 of `blob SIZE`, a zero byte and the bytes.
  ///
  /// Source: Git's documentation, "Git Internals - Git Objects".
  private static func gitBlob(_ path: String, size: Int) throws(CheckpointError) -> String {
    let head = Array("blob \(size)".utf8) + [0]
    return MessageDigest.hex(try MessageDigest.ofFile(path, .sha1, after: head).digest)
  }
}
