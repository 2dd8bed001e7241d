import CHDF5
import CHDF5Shim
import Synchronization

/// An HDF5 file being read.
final class HDF5Reader {
  private let path: String
  private let file: hid_t

  /// Most elements that a dataset may have.
  static let mostElements = 1 << 28

  /// Opens the file `path`, passes it to `body` and closes it.
  static func read<Result>(_ path: String, _ body: (HDF5Reader) throws -> Result) throws -> Result {
    try HDF5Writer.lock.withLock { _ in
      ch5_silence()
      return try body(HDF5Reader(path: path))
    }
  }

  private init(path: String) throws(HDF5Error) {
    self.path = path
    guard ch5_register_zstd() != 0 else { throw .last("cannot register zstd", path) }
    file = H5Fopen(path, ch5_read_only(), ch5_default())
    guard file >= 0 else { throw .last("cannot be opened as HDF5", path) }
  }

  deinit { if file >= 0 { _ = H5Fclose(file) } }

  /// The numbers of dataset `name` with its shape; checksums are compared on the way.
  func doubles(_ name: String) throws(HDF5Error) -> (values: [Double], shape: [Int]) {
    let set = H5Dopen2(file, name, ch5_default())
    guard set >= 0 else { throw .last("cannot open dataset \(name)", path) }
    let space = H5Dget_space(set)
    defer {
      H5Sclose(space)
      H5Dclose(set)
    }
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
    var values = [Double](repeating: 0, count: count)
    guard
      count == 0
        || H5Dread(set, ch5_native_double(), ch5_all(), ch5_all(), ch5_default(), &values) >= 0
    else { throw .last("cannot read dataset \(name)", path) }
    return (values, sizes.map { Int($0) })
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

extension CalibrationFile {
  /// The k of each projection in the file `path`, in its order; NaN where nothing is spiked.
  ///
  /// Every dataset of the summary and the histograms is read, so that a damaged file is refused.
  public static func thresholds(_ path: String) throws -> [Double] {
    try HDF5Reader.read(path) { file in
      let ks = try file.doubles("summary/k").values
      for name in ["histograms/count", "histograms/mean_magnitude", "summary/silent_share"] {
        guard try file.doubles(name).shape.first == ks.count else {
          throw HDF5Error.failed(
            file: path, operation: "dataset \(name)", reason: "it has other rows than summary/k")
        }
      }
      return ks
    }
  }
}
