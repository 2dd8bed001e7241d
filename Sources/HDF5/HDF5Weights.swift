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
  package static func list(_ path: String) throws -> [Tensor] {
    try HDF5Library.use {
      var walk = HDF5Walk(file: path)
      try walk.run()
      return walk.tensors
    }
  }

  /// Reads `tensor`, one that `list` gave, into `output` of `tensor.byteCount` bytes.
  package static func read(
    _ tensor: Tensor, of path: String, into output: UnsafeMutableRawBufferPointer
  ) throws {
    guard tensor.byteCount > 0 else { return }
    precondition(output.count >= tensor.byteCount)
    try HDF5Library.use {
      let file = try HDF5Library.open(path)
      defer { HDF5Library.close(file: file) }
      try HDF5Dataset.read(tensor, in: file, path: path, into: output)
    }
  }
}
