import Glibc

/// A few blocks of a file, evenly spaced, to tell large files apart without reading them: two models
/// of one structure have files of one size.
package enum FileSample {
  private static let blocks = 16
  private static let blockBytes = 4096

  /// The size of the file at `path` and the digest of its sample; those of an empty file when it
  /// cannot be read, which whoever reads it will say.
  package static func of(_ path: String) -> (bytes: Int, digest: SHA256Digest) {
    var hash = SHA256()
    let bytes = FileStatus.size(path) ?? 0
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return (0, hash.finish()) }
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: blockBytes, alignment: 16)
    defer { buffer.deallocate() }
    let last = max(0, bytes - blockBytes)
    for block in 0..<blocks {
      let offset = last / (blocks - 1) * block + last % (blocks - 1) * block / (blocks - 1)
      let count = pread(descriptor, buffer.baseAddress, blockBytes, off_t(offset))
      if count > 0 { hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
    }
    return (bytes, hash.finish())
  }
}
