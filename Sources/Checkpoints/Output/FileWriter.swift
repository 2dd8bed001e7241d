import CFileSystem
import Glibc

/// Writes one file from start to end.
///
/// Write-back is started early and awaited one window behind, so that no more than two windows of
/// dirty pages wait for the disk.
final class FileWriter {
  /// Bytes after which write-back is started.
  static let window = 64 << 20
  /// The most bytes given to one write(2) call.
  static let blockBytes = 8 << 20

  /// The path of the file.
  let path: String
  /// The number of bytes written so far.
  private(set) var bytesWritten = 0

  private let descriptor: Int32
  private let isResumable: Bool
  private var isOpen = true
  private var startedWindows = 0

  /// Creates or truncates the file at `path`, with the permissions `mode` as far as `umask` allows.
  convenience init(
    path: String, mode: mode_t, isResumable: Bool
  ) throws(CheckpointError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw .system(file: path, operation: .create, errno: errno) }
    self.init(descriptor: descriptor, path: path, isResumable: isResumable)
  }

  /// Writes to the empty file `descriptor`, which is closed at the end.
  ///
  /// - Parameter isResumable: whether a run that fails can be continued, for messages.
  init(descriptor: Int32, path: String, isResumable: Bool) {
    _ = FileWriter.fileSizeSignalIsIgnored
    self.descriptor = descriptor
    self.path = path
    self.isResumable = isResumable
  }

  deinit { if isOpen { Glibc.close(descriptor) } }

  /// Appends `bytes`. After an error the file is incomplete and must be written again.
  func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    var rest = bytes
    while let base = rest.baseAddress, !rest.isEmpty {
      let count = Glibc.write(descriptor, base, min(rest.count, FileWriter.blockBytes))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        // The system meets a lost page of a mapped file before we do.
        if errno == EFAULT, let lost = cfs_mapped_path(base) {
          throw .changedWhileRead(file: String(cString: lost))
        }
        throw failure(errno)
      }
      bytesWritten += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      try boundDirtyPages()
    }
  }

  /// Appends `count` zero bytes as a hole.
  func skip(_ count: Int) throws(CheckpointError) {
    bytesWritten += count
    guard ftruncate(descriptor, off_t(bytesWritten)) == 0,
      lseek(descriptor, off_t(bytesWritten), SEEK_SET) >= 0
    else { throw failure(errno) }
  }

  /// Waits until everything is on disk.
  func sync() throws(CheckpointError) {
    guard fsync(descriptor) == 0 else { throw failure(errno) }
  }

  /// Closes the file.
  func close() throws(CheckpointError) {
    isOpen = false
    guard Glibc.close(descriptor) == 0 else { throw failure(errno) }
  }

  private func boundDirtyPages() throws(CheckpointError) {
    let size = FileWriter.window
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
    .writeFailed(
      file: path, errno: code, bytesWritten: bytesWritten, isResumable: isResumable)
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
