import CHDF5
import CHDF5Shim
import Glibc
import TensorTypes

/// A file that libhdf5 has open in this process; inside `HDF5Library.use` only.
final class HDF5OpenFile {
  let path: String
  /// The bytes of the file.
  let size: Int
  private let file: hid_t

  /// What structures are read and chunks are expanded with at the least: a tenth of what is usual.
  static let bytesPerSecond = 16 << 20

  init(_ path: String) throws(HDF5Error) {
    self.path = path
    var status = stat()
    size = stat(path, &status) == 0 ? Int(status.st_size) : 0
    file = try HDF5Library.open(path)
  }

  deinit { HDF5Library.close(file: file) }

  /// Answers a request of another process.
  func answer(_ request: HDF5Message, on channel: HDF5Channel) throws {
    var request = request
    switch HDF5Server.Request(rawValue: try request.number()) {
    case .list:
      var walk = HDF5Walk(file: path, size: size)
      try walk.run(file)
      var answer = HDF5Message()
      answer.put(walk.tensors.count)
      for tensor in walk.tensors { tensor.put(into: &answer) }
      try channel.send(.content, answer)
    case .tensor:
      let tensor = try HDF5Weights.Tensor(from: &request)
      try HDF5Dataset.read(tensor, in: file, path: path) { try channel.send(.content, $0) }
    case .doubles: try sendDoubles(request.text(), on: channel)
    case .texts: try sendTexts(request.text(), on: channel)
    case nil: throw HDF5Channel.Broken.strange
    }
  }

  private func sendDoubles(_ name: String, on channel: HDF5Channel) throws {
    let set = try open(name)
    defer { H5Dclose(set) }
    let rows = try rows(of: set, name, elementBytes: 8)
    var answer = HDF5Message()
    answer.put(rows.shape)
    try channel.send(.content, answer)
    try rows.read(as: ch5_native_double()) { try channel.send(.content, $0) }
  }

  private func sendTexts(_ name: String, on channel: HDF5Channel) throws {
    let set = try open(name), type = H5Dget_type(set)
    defer {
      H5Tclose(type)
      H5Dclose(set)
    }
    let width = H5Tget_size(type)
    let rows = try rows(of: set, name, elementBytes: width)
    guard H5Tget_class(type) == H5T_STRING, H5Tis_variable_str(type) == 0, rows.shape.count == 1,
      (1...HDF5Reader.longestText).contains(width),
      rows.shape[0] <= HDF5Reader.mostElements / width
    else {
      throw HDF5Error.failed(
        file: path, operation: "dataset \(name)", reason: "it is no list of texts of fixed width")
    }
    var answer = HDF5Message()
    answer.put(width)
    answer.put(rows.shape[0])
    try channel.send(.content, answer)
    try rows.read(as: type) { try channel.send(.content, $0) }
  }

  private func open(_ name: String) throws(HDF5Error) -> hid_t {
    let set = H5Dopen2(file, name, ch5_default())
    guard set >= 0 else { throw .last("cannot open dataset \(name)", path) }
    return set
  }

  /// The elements of a dataset, of which there are at most `HDF5Reader.mostElements`.
  private func rows(
    of set: hid_t, _ name: String, elementBytes: Int
  ) throws(HDF5Error) -> HDF5Rows {
    func refused(_ reason: String) -> HDF5Error {
      .failed(file: path, operation: "dataset \(name)", reason: reason)
    }
    let space = H5Dget_space(set)
    defer { H5Sclose(space) }
    let rank = H5Sget_simple_extent_ndims(space)
    guard rank >= 0, rank <= Int32(HDF5Weights.mostDimensions) else {
      throw refused("it has \(rank) dimensions")
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    H5Sget_simple_extent_dims(space, &sizes, nil)
    var count = 1
    for size in sizes {
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(clamping: size))
      guard !overflow, product <= HDF5Reader.mostElements else {
        throw refused("it has too many elements")
      }
      count = product
    }
    let chunk = expectChunks(of: set, rank: rank)
    return HDF5Rows(
      set: set, shape: sizes.map { Int(clamping: $0) }, elementBytes: elementBytes,
      chunkRows: chunk, name: name, file: path)
  }

  /// Tells the filter what the chunks of a dataset decompress to; returns their rows, 1 without
  /// chunks.
  private func expectChunks(of set: hid_t, rank: Int32) -> Int {
    let properties = H5Dget_create_plist(set), type = H5Dget_type(set)
    defer {
      H5Pclose(properties)
      H5Tclose(type)
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    let isChunked = H5Pget_layout(properties) == H5D_CHUNKED
    guard isChunked, H5Pget_chunk(properties, rank, &sizes) == rank else { return 1 }
    // The library bounds a chunk to 4 GB.
    ch5_expect_chunk(Int(clamping: sizes.reduce(1, &*)) &* H5Tget_size(type))
    return max(1, Int(clamping: sizes.first ?? 1))
  }
}
