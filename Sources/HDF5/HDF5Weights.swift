import CHDF5Shim
import Glibc
import Synchronization
package import TensorTypes

/// The datasets of an HDF5 file as tensors: `formats/hdf5/README.md`.
package enum HDF5Weights {
  /// More objects than any model has.
  package static let mostObjects = 1 << 20
  /// Groups in groups; Keras nests a handful.
  package static let mostLevels = 32
  /// Bytes of one name.
  package static let longestName = 1024
  /// Dimensions of one dataset.
  package static let mostDimensions = 8
  /// Bytes of one chunk when it is decompressed.
  package static let largestChunk = 64 << 20
  /// Chunks of one dataset.
  package static let mostChunks = 1 << 20
  /// Bytes of a dataset that is chunked, since these are read as a whole.
  package static let largestChunked = 4 << 30
  /// A chunked dataset of more bytes than this expands by no more than deflate can.
  package static let unboundedExpansion = 64 << 20
  /// How far that is.
  package static let mostExpansion = 1100

  /// One dataset.
  package struct Tensor: Sendable {
    /// Group names and its own, joined by slashes.
    package var path: String
    /// The element type.
    package var type: ScalarType
    /// The lengths of its dimensions, slowest first.
    package var dimensions: [Int]
    /// The bytes of all elements.
    package var byteCount: Int
    /// Where they lie in the file in one piece; nil when the library has to put them together.
    package var offset: Int?
  }

  /// Every dataset of the file at `path`, checked, in the order of groups and names.
  package static func list(_ path: String) throws(HDF5Error) -> [Tensor] {
    try HDF5Child(path).list()
  }

  /// Reads `tensor`, one that `list` gave, into `output` of `tensor.byteCount` bytes.
  package static func read(
    _ tensor: Tensor, of path: String, into output: UnsafeMutableRawBufferPointer
  ) throws(HDF5Error) {
    guard tensor.byteCount > 0 else { return }
    precondition(output.count >= tensor.byteCount)
    // As it is now: a file may be replaced while its name stays.
    var status = stat()
    stat(path, &status)
    let file = FileKey(
      path: path, device: UInt64(status.st_dev), node: UInt64(status.st_ino),
      size: Int(status.st_size),
      time: Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ status.st_mtim.tv_nsec)
    let result = last.withLock { last -> Result<Void, HDF5Error> in
      Result { () throws(HDF5Error) in
        if last?.file != file { last = (file, try HDF5Child(path)) }
        do throws(HDF5Error) {
          try last?.child.read(tensor, into: output)
        } catch {
          last = nil
          throw error
        }
      }
    }
    try result.get()
  }

  private struct FileKey: Equatable {
    var path: String, device: UInt64, node: UInt64, size: Int, time: Int
  }

  /// The process that read a tensor last: most often the next one is of the same file.
  private static let last = Mutex<(file: FileKey, child: HDF5Child)?>(nil)
}
