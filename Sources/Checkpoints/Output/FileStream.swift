import Dispatch
import Glibc
public import TensorTypes

/// Writes one file from start to end, hashing it on another thread meanwhile.
///
/// `write` hands the caller's bytes to the hashing thread and to write(2) at the same time and
/// returns when both are done with them: nothing is copied or buffered, so the cost is the slower
/// of the two.
///
/// Not for use by several threads at once.
public final class FileStream {
  private let file: FileWriter
  private let hasher = Hasher()

  /// The path of the file.
  public var path: String { file.path }
  /// The number of bytes written so far.
  public var bytesWritten: Int { file.bytesWritten }

  /// Creates or truncates the file at `path`.
  public convenience init(path: String) throws(CheckpointError) {
    try self.init(path: path, mode: 0o666, isResumable: true)
  }

  /// The same with permissions; `isResumable` says whether a run that fails can be continued.
  init(path: String, mode: mode_t, isResumable: Bool) throws(CheckpointError) {
    file = try FileWriter(path: path, mode: mode, isResumable: isResumable)
  }

  /// Appends `bytes`. After an error the file is incomplete and must be written again.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    // Small pieces are hashed here: waking a thread takes longer.
    guard bytes.count > 1 << 16 else {
      hasher.update(bytes)
      return try file.write(bytes)
    }
    hasher.start(bytes)
    defer { hasher.wait() }
    try file.write(bytes)
  }

  /// Appends `bytes`.
  public func write(_ bytes: [UInt8]) throws(CheckpointError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(CheckpointError) in try write(bytes) }
  }

  /// Appends the bytes of `view` as they are stored, dropping its pages once they are written and
  /// hashed, so that a tensor of any size takes a few blocks of resident memory.
  public func writeStored(_ view: TensorView) throws(CheckpointError) {
    defer { hasher.wait() }
    var rest = view.bytes
    while !rest.isEmpty {
      let block = UnsafeRawBufferPointer(rebasing: rest.prefix(FileWriter.blockBytes))
      try file.write(block)
      hasher.start(block, discarding: view.storage)
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(block.count))
    }
  }

  /// Appends `count` zero bytes as a hole, which takes no space where the file system has holes.
  public func writeHole(_ count: Int) throws(CheckpointError) {
    let zeros = [UInt8](repeating: 0, count: min(count, FileWriter.blockBytes))
    var rest = count
    while rest > 0 {
      let length = min(rest, zeros.count)
      zeros.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
      rest -= length
    }
    try file.skip(count)
  }

  /// From here on the bytes are those of a part, such as a tensor, which is hashed by itself too.
  func startPart() { hasher.startPart() }

  /// The digest of the part that `startPart` began.
  func finishPart() -> SHA256Digest { hasher.finishPart() }

  /// Syncs and closes the file. Returns its size and digest.
  public func finish() throws(CheckpointError) -> (bytes: Int, digest: SHA256Digest) {
    try file.sync()
    try file.close()
    return (file.bytesWritten, hasher.finish())
  }
}

/// A SHA-256 that runs on a thread of its own while the file is written.
private final class Hasher: @unchecked Sendable {
  // @unchecked: `hash` and `part` are touched either on the queue or by the owner after `wait`.
  private var hash: SHA256? = SHA256()
  private var part: SHA256?
  private let queue = DispatchQueue(label: "spikingbrain.hash")

  /// Blocks that may wait to be hashed; more only take memory.
  private let room = DispatchSemaphore(value: 3)

  /// Starts hashing `bytes`, which must stay valid until `wait` returns, and drops their pages
  /// from `storage` afterwards. Waits while too many blocks are pending.
  func start(_ bytes: UnsafeRawBufferPointer, discarding storage: (any TensorStorage)? = nil) {
    nonisolated(unsafe) let bytes = bytes
    room.wait()
    queue.async {
      self.update(bytes)
      storage?.discard(bytes)
      self.room.signal()
    }
  }

  func wait() { queue.sync {} }

  /// Hashes `bytes` here; nothing may be pending.
  func update(_ bytes: UnsafeRawBufferPointer) {
    hash?.update(bytes)
    part?.update(bytes)
  }

  func startPart() {
    wait()
    part = SHA256()
  }

  func finishPart() -> SHA256Digest {
    wait()
    let part = self.part.take() ?? SHA256()
    return part.finish()
  }

  func finish() -> SHA256Digest {
    let hash = self.hash.take() ?? SHA256()
    return hash.finish()
  }
}
