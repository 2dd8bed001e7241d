import CHDF5
import CHDF5Shim
import Synchronization

/// The HDF5 library of this process: it writes, and reads where this is a process that does nothing
/// else (`HDF5Server`). It is not safe for threads as Debian builds it, so its users take turns.
package enum HDF5Library {
  private static let lock = Mutex(())

  /// Runs `body` while nobody else uses the library: silent, with its zstd filter known and without
  /// looking for plugins.
  package static func use<Result>(_ body: () throws -> Result) throws -> Result {
    try lock.withLock { _ in
      guard ch5_prepare() != 0 else {
        throw HDF5Error.failed(
          file: "libhdf5", operation: "cannot be prepared", reason: "it knows no zstd filter")
      }
      return try body()
    }
  }

  /// Opens the file at `path` to be read; inside `use` only. Close it with `H5Fclose`.
  static func open(_ path: String) throws(HDF5Error) -> hid_t {
    let file = ch5_open(path)
    guard file >= 0 else { throw .last("cannot be opened as HDF5", path) }
    return file
  }

  /// Closes a file that `open` gave.
  static func close(file: hid_t) { _ = H5Fclose(file) }
}
