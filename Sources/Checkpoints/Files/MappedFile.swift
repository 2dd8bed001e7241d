import CFileSystem
import Foundations
import Glibc
public import TensorTypes

/// A file mapped into memory, read-only; pages are read when they are first touched.
///
/// Memory is bounded by dropping pages after use (`discard`), not by reading less: a map of any
/// size costs only address space. A file that another process *shortens* while it is mapped has
/// pages that cannot be read: touching one ends the process with a message that names the file.
/// Any other change is found before an output made from it is committed (`SourceFiles`).
public final class MappedFile: TensorStorage, @unchecked Sendable {
  // @unchecked: the mapping never changes after init, and madvise is thread-safe.

  /// The path the file was opened by.
  public let path: String
  /// The whole file.
  public let bytes: UnsafeRawBufferPointer
  private let watch: OpaquePointer?

  /// How the file will be read; the kernel reads ahead accordingly.
  public enum Access: Sendable {
    case normal, sequential, random
  }

  /// Maps the regular file at `path`. Empty files are refused, since no checkpoint file is empty.
  public init(path: String, access: Access = .normal) throws(CheckpointError) {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(file: path, operation: .open, errno: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .system(file: path, operation: .inspect, errno: errno)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .isDirectory(file: path)
    default: throw .notRegularFile(file: path)
    }
    guard status.st_size > 0 else { throw .emptyFile(file: path) }
    let count = Int(status.st_size)
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else { throw .system(file: path, operation: .map, errno: errno) }
    self.path = path
    self.bytes = UnsafeRawBufferPointer(start: base, count: count)
    watch = cfs_watch_mapping(base, Int64(count), path)
    SourceFiles.open(path, FileIdentity(status))
    switch access {
    case .normal: break
    case .sequential: madvise(base, count, MADV_SEQUENTIAL)
    case .random: madvise(base, count, MADV_RANDOM)
    }
  }

  /// Maps a file of a checkpoint, or an archive; refuses what lies in the place of one that was not downloaded.
  package static func checkpoint(_ path: String) throws(CheckpointError) -> MappedFile {
    let file = try MappedFile(path: path)
    if let placeholder = Placeholder(file.bytes) {
      throw .placeholder(file: path, placeholder)
    }
    return file
  }

  deinit {
    SourceFiles.close(path)
    cfs_unwatch_mapping(watch)
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  /// Drops the pages that hold any of `bytes` from this process's resident set.
  ///
  /// Neighbouring bytes on the first and last page are dropped too: the map is read-only, so
  /// they are read again when next touched. Bytes outside the file are ignored.
  public func discard(_ bytes: UnsafeRawBufferPointer) {
    advise(bytes, MADV_DONTNEED)
  }

  /// Reads the pages that hold any of `bytes` into the system's cache, without waiting.
  public func prefetch(_ bytes: UnsafeRawBufferPointer) {
    advise(bytes, MADV_WILLNEED)
  }

  private func advise(_ part: UnsafeRawBufferPointer, _ advice: Int32) {
    guard let base = bytes.baseAddress, let start = part.baseAddress else { return }
    let page = sysconf(Int32(_SC_PAGESIZE))
    let first = max(0, start - base) / page * page
    let last = min(bytes.count, start - base + part.count)
    guard first < last else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + first), last - first, advice)
  }
}
