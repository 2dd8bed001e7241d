import CHDF5
import CHDF5Shim

/// An HDF5 file being written: groups, compressed checked datasets, attributes.
///
/// Equal contents give equal bytes: no times are recorded.
package final class HDF5Writer {
  /// The path of the file.
  package let path: String
  private let file: hid_t
  private let compression: Compression
  private var isOpen = true

  /// Elements per chunk.
  private static let chunk = 4096

  /// How chunks are compressed.
  package enum Compression: String, Sendable, CaseIterable {
    /// Known to every HDF5 library.
    case deflate
    /// Registered filter 32015, which readers need a plugin for.
    case zstd
  }

  /// Creates the file `path`, passes it to `body` and closes it.
  package static func write(
    _ path: String, compression: Compression = .deflate,
    _ body: (HDF5Writer) throws -> Void
  ) throws {
    try HDF5Library.use {
      let writer = try HDF5Writer(path: path, compression)
      defer { writer.abandon() }
      try body(writer)
      try writer.close()
    }
  }

  private init(
    path: String, _ compression: Compression
  ) throws(HDF5Error) {
    self.path = path
    self.compression = compression
    file = H5Fcreate(path, ch5_truncate(), ch5_default(), ch5_default())
    guard file >= 0 else { throw HDF5Error.last("cannot create", path) }
  }

  private func close() throws(HDF5Error) {
    isOpen = false
    guard H5Fclose(file) >= 0 else { throw HDF5Error.last("cannot close", path) }
  }

  private func abandon() {
    if isOpen { _ = H5Fclose(file) }
    isOpen = false
  }

  /// The elements of a dataset.
  package enum Values {
    /// Int64.
    case integers([Int64])
    /// Float64.
    case doubles([Double])
    /// UTF-8, padded with zero bytes to the longest.
    case texts([String])

    var count: Int {
      switch self {
      case .texts(let values): values.count
      case .integers(let values): values.count
      case .doubles(let values): values.count
      }
    }

    /// Bytes per text.
    private var width: Int {
      guard case .texts(let values) = self else { return 0 }
      return max(1, values.map(\.utf8.count).max() ?? 1)
    }

    /// A copy of the element type, to be closed.
    fileprivate func type() -> hid_t {
      switch self {
      case .integers: return H5Tcopy(ch5_int64())
      case .doubles: return H5Tcopy(ch5_float64())
      case .texts:
        let type = H5Tcopy(ch5_c_string())
        H5Tset_size(type, width)
        H5Tset_strpad(type, H5T_STR_NULLPAD)
        H5Tset_cset(type, H5T_CSET_UTF8)
        return type
      }
    }

    fileprivate func withBytes<Result>(_ body: (UnsafeRawPointer?) -> Result) -> Result {
      switch self {
      case .texts(let values):
        let width = width
        let bytes = values.flatMap { text -> [UInt8] in
          let utf8 = Array(text.utf8)
          return utf8 + [UInt8](repeating: 0, count: width - utf8.count)
        }
        return bytes.withUnsafeBytes { body($0.baseAddress) }
      case .integers(let values): return values.withUnsafeBytes { body($0.baseAddress) }
      case .doubles(let values): return values.withUnsafeBytes { body($0.baseAddress) }
      }
    }
  }

  /// Makes the group `name`, whose parents exist.
  package func group(_ name: String, attributes: [(String, String)] = []) throws(HDF5Error) {
    let properties = untimed(ch5_group_creation())
    defer { H5Pclose(properties) }
    let group = H5Gcreate2(file, name, ch5_default(), properties, ch5_default())
    guard group >= 0 else { throw .last("cannot make group \(name)", path) }
    defer { H5Gclose(group) }
    for (key, text) in attributes { try attribute(key, text, of: group) }
  }

  /// Writes a chunked dataset of the given shape, compressed, with a checksum per chunk.
  package func dataset(
    _ name: String, _ values: Values, shape: [Int], attributes: [(String, String)] = []
  ) throws(HDF5Error) {
    let sizes = shape.map { hsize_t($0) }
    let space = H5Screate_simple(Int32(sizes.count), sizes, nil)
    let properties = untimed(ch5_dataset_creation())
    let type = values.type()
    defer {
      H5Sclose(space)
      H5Pclose(properties)
      H5Tclose(type)
    }
    if values.count > 0 {
      var chunk = sizes
      let inner = shape.dropFirst().reduce(1, *)
      chunk[0] = hsize_t(min(shape[0], max(1, Self.chunk / max(inner, 1))))
      H5Pset_chunk(properties, Int32(chunk.count), chunk)
      switch compression {
      case .deflate: H5Pset_deflate(properties, 6)
      case .zstd:
        var level: UInt32 = 9
        H5Pset_filter(properties, CH5_ZSTD, UInt32(H5Z_FLAG_MANDATORY), 1, &level)
      }
      H5Pset_fletcher32(properties)
    }
    let set = H5Dcreate2(
      file, name, type, space, ch5_default(), properties, ch5_default())
    guard set >= 0 else { throw .last("cannot make dataset \(name)", path) }
    defer { H5Dclose(set) }
    let written = values.withBytes {
      H5Dwrite(set, type, ch5_all(), ch5_all(), ch5_default(), $0)
    }
    guard written >= 0 else { throw .last("cannot write dataset \(name)", path) }
    for (key, text) in attributes { try attribute(key, text, of: set) }
  }

  /// Attaches a text to the root.
  package func attribute(_ key: String, _ text: String) throws(HDF5Error) {
    let root = H5Gopen2(file, "/", ch5_default())
    guard root >= 0 else { throw .last("cannot open the root", path) }
    defer { H5Gclose(root) }
    try attribute(key, text, of: root)
  }

  private func attribute(_ key: String, _ text: String, of object: hid_t) throws(HDF5Error) {
    let bytes = Array(text.utf8) + [0]
    let type = H5Tcopy(ch5_c_string()), space = H5Screate(H5S_SCALAR)
    defer {
      H5Tclose(type)
      H5Sclose(space)
    }
    H5Tset_size(type, bytes.count)
    H5Tset_cset(type, H5T_CSET_UTF8)
    let attribute = H5Acreate2(object, key, type, space, ch5_default(), ch5_default())
    guard attribute >= 0 else { throw .last("cannot make attribute \(key)", path) }
    defer { H5Aclose(attribute) }
    guard H5Awrite(attribute, type, bytes) >= 0 else {
      throw .last("cannot write attribute \(key)", path)
    }
  }

  private func untimed(_ kind: hid_t) -> hid_t {
    let properties = H5Pcreate(kind)
    H5Pset_obj_track_times(properties, false)
    return properties
  }
}
