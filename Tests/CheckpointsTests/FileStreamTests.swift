import Checkpoints
import Foundation
import Foundations
import TensorTypes
import TestSupport
import Testing

/// Writing and hashing at the same time, and what happens when the disk says no.
@Suite(.serialized) struct FileStreamTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [0, 1, 65_536, 65_537, 9 << 20, (64 << 20) + 3, (130 << 20) + 1])
  func bytesAndDigestAgree(_ count: Int) throws {
    let storage = MemoryStorage(count: count)
    for index in stride(from: 0, to: count, by: 4093) {
      storage.bytes[index] = UInt8(truncatingIfNeeded: index)
    }
    let all = UnsafeRawBufferPointer(rebasing: storage.bytes[..<count])
    let stream = try FileStream(path: directory("file"))
    let cut = count / 3
    try stream.write(UnsafeRawBufferPointer(rebasing: all[..<cut]))
    try stream.write(UnsafeRawBufferPointer(rebasing: all[cut...]))
    #expect(stream.bytesWritten == count)
    let (bytes, digest) = try stream.finish()
    #expect(bytes == count)
    #expect(digest == SHA256.hash(all))
    let onDisk = try SHA256.hashFile(directory("file"))
    #expect(onDisk.bytes == count && onDisk.digest == digest)
  }

  @Test func storedViewIsCopied() throws {
    let values = (0..<(5 << 20)).map { Float($0) }
    let view = MemoryStorage.view(values, shape: [5, 1 << 20])
    let stream = try FileStream(path: directory("file"))
    try stream.writeStored(view)
    let (bytes, digest) = try stream.finish()
    #expect(bytes == 20 << 20)
    #expect(digest == SHA256.hash(view.bytes))
  }

  @Test func existingFileIsTruncated() throws {
    try directory.write("file", "something longer")
    let stream = try FileStream(path: directory("file"))
    try stream.write(Array("new".utf8))
    _ = try stream.finish()
    #expect(try contents(directory("file")) == Array("new".utf8))
  }

  @Test func fullDisk() throws {
    let stream = try FileStream(path: "/dev/full")
    let error = checkpointError { try stream.write([1, 2, 3]) }
    #expect(
      error
        == .writeFailed(
          file: "/dev/full", errno: ENOSPC, bytesWritten: 0, isResumable: true))
    #expect(
      error?.description
        == "/dev/full: writing failed after 0 bytes: No space left on device"
        + " (free some space, then run the same command with --resume)")
  }

  @Test func fileSizeLimitIsAnErrorAndNoSignal() throws {
    let limit = 256 << 20
    var old = rlimit()
    getrlimit(__rlimit_resource_t(1), &old)
    var new = old
    new.rlim_cur = rlim_t(limit)
    setrlimit(__rlimit_resource_t(1), &new)
    defer { setrlimit(__rlimit_resource_t(1), &old) }
    let stream = try FileStream(path: directory("file"))
    let storage = MemoryStorage(count: 100 << 20)
    let bytes = UnsafeRawBufferPointer(storage.bytes)
    try stream.write(bytes)
    try stream.write(bytes)
    let error = checkpointError { try stream.write(bytes) }
    #expect(
      error
        == .writeFailed(
          file: directory("file"), errno: EFBIG, bytesWritten: limit, isResumable: true))
  }

  @Test func linksAreNotFollowed() throws {
    let target = try directory.write("target", "keep")
    symlink(target, directory("link"))
    #expect(throws: CheckpointError.self) { try FileStream(path: directory("link")) }
    #expect(try contents(target) == Array("keep".utf8))
  }

  @Test func directoryCannotBeWritten() {
    #expect(
      checkpointError { _ = try FileStream(path: directory.path) }
        == .system(file: directory.path, operation: .create, errno: EISDIR))
  }
}
