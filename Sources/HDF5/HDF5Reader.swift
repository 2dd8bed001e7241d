import CHDF5
import CHDF5Shim

/// An HDF5 file of numbers and texts being read.
package final class HDF5Reader {
  /// The path of the file.
  package let path: String
  private let file: hid_t

  /// Most elements that a dataset may have.
  package static let mostElements = 1 << 28

  /// Opens the file `path`, passes it to `body` and closes it.
  package static func read<Result>(
    _ path: String, _ body: (HDF5Reader) throws -> Result
  ) throws -> Result {
    try HDF5Library.use { try body(HDF5Reader(path: path)) }
  }

  private init(path: String) throws(HDF5Error) {
    self.path = path
    file = try HDF5Library.open(path)
  }

  deinit { if file >= 0 { _ = H5Fclose(file) } }

  /// The numbers of dataset `name` with its shape; checksums are compared on the way.
  package func doubles(_ name: String) throws(HDF5Error) -> (values: [Double], shape: [Int]) {
    let set = try open(name)
    defer { H5Dclose(set) }
    let shape = try shape(of: set, name)
    var values = [Double](repeating: 0, count: shape.reduce(1, *))
    guard
      values.isEmpty
        || H5Dread(set, ch5_native_double(), ch5_all(), ch5_all(), ch5_default(), &values) >= 0
    else { throw .last("cannot read dataset \(name)", path) }
    return (values, shape)
  }

  /// The numbers of dataset `name`, which has `count` rows of `width` numbers.
  package func rows(_ name: String, count: Int, width: Int) throws(HDF5Error) -> [Double] {
    let (values, shape) = try doubles(name)
    guard shape.first == count, values.count == count * width else {
      throw .failed(
        file: path, operation: "dataset \(name)",
        reason: "it has the shape \(shape), expected \(count) rows of \(width)")
    }
    return values
  }

  /// The texts of dataset `name`, of fixed width and padded with zero bytes.
  package func texts(_ name: String) throws(HDF5Error) -> [String] {
    let set = try open(name), type = H5Dget_type(set)
    defer {
      H5Tclose(type)
      H5Dclose(set)
    }
    let shape = try shape(of: set, name), width = H5Tget_size(type)
    guard H5Tget_class(type) == H5T_STRING, H5Tis_variable_str(type) == 0, shape.count == 1,
      (1...Self.longestText).contains(width), shape[0] * width <= Self.mostElements
    else {
      throw .failed(
        file: path, operation: "dataset \(name)", reason: "it is no list of texts of fixed width")
    }
    var bytes = [UInt8](repeating: 0, count: shape[0] * width)
    guard
      bytes.isEmpty || H5Dread(set, type, ch5_all(), ch5_all(), ch5_default(), &bytes) >= 0
    else { throw .last("cannot read dataset \(name)", path) }
    return (0..<shape[0]).map { row in
      String(decoding: bytes[width * row..<width * (row + 1)].prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Most bytes of a text.
  private static let longestText = 4096

  private func open(_ name: String) throws(HDF5Error) -> hid_t {
    let set = H5Dopen2(file, name, ch5_default())
    guard set >= 0 else { throw .last("cannot open dataset \(name)", path) }
    return set
  }

  /// The lengths of a dataset's dimensions, whose product is at most `mostElements`.
  private func shape(of set: hid_t, _ name: String) throws(HDF5Error) -> [Int] {
    let space = H5Dget_space(set)
    defer { H5Sclose(space) }
    let rank = H5Sget_simple_extent_ndims(space)
    guard rank >= 0, rank <= 8 else {
      throw .failed(file: path, operation: "dataset \(name)", reason: "it has \(rank) dimensions")
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    H5Sget_simple_extent_dims(space, &sizes, nil)
    var count = 1
    for size in sizes {
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(clamping: size))
      guard !overflow, product <= Self.mostElements else {
        throw .failed(file: path, operation: "dataset \(name)", reason: "it has too many elements")
      }
      count = product
    }
    expectChunks(of: set, rank: rank)
    return sizes.map { Int(clamping: $0) }
  }

  /// Tells the filter what the chunks of a dataset decompress to.
  private func expectChunks(of set: hid_t, rank: Int32) {
    let properties = H5Dget_create_plist(set), type = H5Dget_type(set)
    defer {
      H5Pclose(properties)
      H5Tclose(type)
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    let isChunked = H5Pget_layout(properties) == H5D_CHUNKED
    guard isChunked, H5Pget_chunk(properties, rank, &sizes) == rank else { return }
    // The library bounds a chunk to 4 GB.
    ch5_expect_chunk(Int(clamping: sizes.reduce(1, &*)) &* H5Tget_size(type))
  }
}
