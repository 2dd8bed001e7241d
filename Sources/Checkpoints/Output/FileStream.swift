import CFileSystem
import Dispatch
import Glibc
public import TensorTypes

/// Writes one file from start to end, hashing it on another thread meanwhile.
///
/// `write` hands the caller's bytes to the hashing thread and to write(2) at the same time and
/// returns when both are done with them: nothing is copied or buffered, so the cost is the slower
/// of the two. Write-back is started early and awaited one window behind, so that no more than
/// two windows of dirty pages wait for the disk.
///
/// Not for use by several threads at once.
public final class FileStream {
  /// Bytes after which write-back is started.
  static let window = 64 << 20
  /// The most bytes given to one write(2) call.
  static let blockBytes = 8 << 20

  /// The path of the file.
  public let path: String
  /// The number of bytes written so far.
  public private(set) var bytesWritten = 0

  private let descriptor: Int32
  private var isOpen = true
  private let hasher = Hasher()
  private var startedWindows = 0

  /// Creates or truncates the file at `path`.
  public init(path: String) throws(CheckpointError) {
    _ = FileStream.fileSizeSignalIsIgnored
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .system(file: path, operation: .create, errno: errno) }
    self.path = path
  }

  deinit { if isOpen { close(descriptor) } }

  /// Appends `bytes`. After an error the file is incomplete and must be written again.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    // Small pieces are hashed here: waking a thread takes longer.
    guard bytes.count > 1 << 16 else {
      hasher.update(bytes)
      return try writeAll(bytes)
    }
    hasher.start(bytes)
    defer { hasher.wait() }
    try writeAll(bytes)
  }

  /// Appends `bytes`.
  public func write(_ bytes: [UInt8]) throws(CheckpointError) {
    try bytes.withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) in try write(bytes) }
    }.get()
  }

  /// Appends the bytes of `view` as they are stored, dropping its pages once they are written and
  /// hashed, so that a tensor of any size takes a few blocks of resident memory.
  public func writeStored(_ view: TensorView) throws(CheckpointError) {
    defer { hasher.wait() }
    var rest = view.bytes
    while !rest.isEmpty {
      let block = UnsafeRawBufferPointer(rebasing: rest.prefix(FileStream.blockBytes))
      try writeAll(block)
      hasher.start(block, discarding: view.storage)
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(block.count))
    }
  }

  /// Appends `count` zero bytes as a hole, which takes no space where the file system has holes.
  public func writeHole(_ count: Int) throws(CheckpointError) {
    let zeros = [UInt8](repeating: 0, count: min(count, FileStream.blockBytes))
    var rest = count
    while rest > 0 {
      let length = min(rest, zeros.count)
      zeros.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
      rest -= length
    }
    bytesWritten += count
    guard ftruncate(descriptor, off_t(bytesWritten)) == 0,
      lseek(descriptor, off_t(bytesWritten), SEEK_SET) >= 0
    else { throw failure(errno) }
  }

  /// Syncs and closes the file. Returns its size and digest.
  public func finish() throws(CheckpointError) -> (bytes: Int, digest: SHA256Digest) {
    guard fsync(descriptor) == 0 else { throw failure(errno) }
    isOpen = false
    guard close(descriptor) == 0 else { throw failure(errno) }
    return (bytesWritten, hasher.finish())
  }

  private func writeAll(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    var rest = bytes
    while let base = rest.baseAddress, !rest.isEmpty {
      let count = Glibc.write(descriptor, base, min(rest.count, FileStream.blockBytes))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure(errno) }
      bytesWritten += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      try boundDirtyPages()
    }
  }

  private func boundDirtyPages() throws(CheckpointError) {
    let size = FileStream.window
    while bytesWritten / size > startedWindows {
      let offset = Int64(startedWindows * size)
      try check(cfs_start_write_back(descriptor, offset, Int64(size)))
      if startedWindows > 0 {
        try check(cfs_finish_write_back(descriptor, offset - Int64(size), Int64(size)))
      }
      startedWindows += 1
    }
  }

  /// Write-back errors are reported once, so one that surfaces here would be missed by fsync;
  /// file systems that do not offer early write-back answer with other codes.
  private func check(_ result: Int32) throws(CheckpointError) {
    guard result != 0 else { return }
    let code = errno
    if [EIO, ENOSPC, EDQUOT].contains(code) { throw failure(code) }
  }

  private func failure(_ code: Int32) -> CheckpointError {
    .writeFailed(file: path, errno: code, bytesWritten: bytesWritten)
  }

  /// A file size limit (`ulimit -f`) must be an error message, not a signal that kills the
  /// process; a handler that the program installed itself stays.
  private static let fileSizeSignalIsIgnored: Bool = {
    var action = sigaction()
    guard sigaction(SIGXFSZ, nil, &action) == 0,
      action.__sigaction_handler.sa_handler == nil
    else { return false }
    signal(SIGXFSZ, SIG_IGN)
    return true
  }()
}

/// A SHA-256 that runs on a thread of its own while the file is written.
private final class Hasher: @unchecked Sendable {
  // @unchecked: `hash` is touched either on the queue or by the owner after `wait`.
  private var hash: SHA256? = SHA256()
  private let queue = DispatchQueue(label: "spikingbrain.hash")

  /// Blocks that may wait to be hashed; more only take memory.
  private let room = DispatchSemaphore(value: 3)

  /// Starts hashing `bytes`, which must stay valid until `wait` returns, and drops their pages
  /// from `storage` afterwards. Waits while too many blocks are pending.
  func start(_ bytes: UnsafeRawBufferPointer, discarding storage: (any TensorStorage)? = nil) {
    nonisolated(unsafe) let bytes = bytes
    room.wait()
    queue.async {
      self.hash?.update(bytes)
      storage?.discard(bytes)
      self.room.signal()
    }
  }

  func wait() { queue.sync {} }

  /// Hashes `bytes` here; nothing may be pending.
  func update(_ bytes: UnsafeRawBufferPointer) { hash?.update(bytes) }

  func finish() -> SHA256Digest {
    let hash = self.hash.take() ?? SHA256()
    return hash.finish()
  }
}
