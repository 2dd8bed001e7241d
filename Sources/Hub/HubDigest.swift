import CLibCrypto
import Checkpoints
import Foundation
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
  static func gitBlob(_ path: String, size: Int) throws -> String {
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    defer { try? file.close() }
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha1(), nil) == 1 else {
      preconditionFailure("libcrypto cannot start SHA-1")
    }
    defer { EVP_MD_CTX_free(context) }
    let head = Array("blob \(size)".utf8) + [0]
    EVP_DigestUpdate(context, head, head.count)
    while let data = try file.read(upToCount: 1 << 20), !data.isEmpty {
      data.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    }
    var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE)), count: UInt32 = 0
    EVP_DigestFinal_ex(context, &bytes, &count)
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.prefix(Int(count)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
      as: UTF8.self)
  }
}
