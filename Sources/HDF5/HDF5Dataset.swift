import CHDF5
import CHDF5Shim
import TensorTypes

/// One dataset of weights: what may be in a file, and reading what the library has to put together.
struct HDF5Dataset {
  private let set: hid_t
  private let properties: hid_t
  private let path: String
  private let file: String

  /// Opens `name` in `group`, looks at it and closes it; `path` names it in errors.
  ///
  /// - Parameter expansion: the bytes that chunks of the file may still expand to.
  static func describe(
    _ name: String, in group: hid_t, path: String, file: String, expansion: inout Int
  ) throws(HDF5Error) -> HDF5Weights.Tensor {
    let set = H5Dopen2(group, name, ch5_default())
    guard set >= 0 else { throw .last("cannot open dataset \(path)", file) }
    let properties = H5Dget_create_plist(set)
    defer {
      H5Pclose(properties)
      H5Dclose(set)
    }
    let dataset = HDF5Dataset(set: set, properties: properties, path: path, file: file)
    return try dataset.tensor(expansion: &expansion)
  }

  /// Reads `tensor` as it is stored; its bytes are passed to `body` in order, some rows at a time.
  static func read(
    _ tensor: HDF5Weights.Tensor, in handle: hid_t, path: String,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let set = H5Dopen2(handle, tensor.path, ch5_default())
    guard set >= 0 else { throw HDF5Error.last("cannot open dataset \(tensor.path)", path) }
    let properties = H5Dget_create_plist(set), type = H5Dget_type(set)
    defer {
      H5Tclose(type)
      H5Pclose(properties)
      H5Dclose(set)
    }
    let dataset = HDF5Dataset(set: set, properties: properties, path: tensor.path, file: path)
    // The file may have changed since it was listed: never send more than there is room for.
    var expansion = Int.max
    let now = try dataset.tensor(expansion: &expansion)
    guard now.byteCount == tensor.byteCount, now.type == tensor.type else {
      throw dataset.refused("it is another one than when the file was opened")
    }
    var rows = 1
    if H5Pget_layout(properties) == H5D_CHUNKED {
      let chunk = try dataset.chunk(of: now)
      ch5_expect_chunk(chunk.reduce(now.type.blockBytes, *))
      rows = chunk.first ?? 1
    }
    try HDF5Rows(
      set: set, shape: now.dimensions, elementBytes: now.type.blockBytes, chunkRows: rows,
      name: tensor.path, file: path
    ).read(as: type, body)
  }

  private func tensor(expansion: inout Int) throws(HDF5Error) -> HDF5Weights.Tensor {
    guard properties >= 0 else { throw .last("cannot read dataset \(path)", file) }
    var tensor = HDF5Weights.Tensor(
      path: path, type: try elementType(), dimensions: try dimensions(), byteCount: 0, offset: nil)
    guard let bytes = Shape(tensor.dimensions).byteCount(tensor.type), bytes < 1 << 60 else {
      throw refused("its size \(Shape(tensor.dimensions)) is impossible")
    }
    tensor.byteCount = bytes
    guard H5Pget_external_count(properties) == 0 else {
      throw refused("its elements lie in other files (external storage)")
    }
    switch H5Pget_layout(properties) {
    case H5D_CONTIGUOUS: tensor.offset = try contiguous(bytes)
    case H5D_COMPACT:
      let stored = H5Dget_storage_size(set)
      guard stored == hsize_t(bytes) else {
        throw refused("it takes \(bytes) bytes; \(stored) are stored")
      }
    case H5D_CHUNKED: try checkChunks(of: tensor, expansion: &expansion)
    default: throw refused("its layout is virtual or unknown")
    }
    return tensor
  }

  /// The type of the elements; bfloat16 is two bytes and an attribute that says so.
  private func elementType() throws(HDF5Error) -> ScalarType {
    let type = H5Dget_type(set)
    defer { H5Tclose(type) }
    var text = [CChar](repeating: 0, count: 32)
    let said = ch5_text_attribute(set, "dtype", &text, text.count)
    guard said >= 0 else { throw refused("its attribute dtype is no short text") }
    let isMarked =
      said > 0
      && text.prefix { $0 != 0 }.elementsEqual("bfloat16".utf8.map { CChar(bitPattern: $0) })
    let element = Int(ch5_element(type))
    if element == CH5_TWO_BYTES {
      guard isMarked else {
        throw refused("its elements are two bytes without the attribute dtype = bfloat16")
      }
      return .bfloat16
    }
    guard let known = HDF5Dataset.types[element] else {
      throw refused("its elements are of a type that tensors do not have here")
    }
    guard !isMarked else {
      throw refused("its attribute says bfloat16, its elements are \(known.rawValue)")
    }
    return known
  }

  private static let types: [Int: ScalarType] = [
    CH5_F64: .float64, CH5_F32: .float32, CH5_F16: .float16,
    CH5_I64: .int64, CH5_I32: .int32, CH5_I16: .int16,
    CH5_I8: .int8, CH5_U8: .uint8,
  ]

  private func dimensions() throws(HDF5Error) -> [Int] {
    let space = H5Dget_space(set)
    defer { H5Sclose(space) }
    switch H5Sget_simple_extent_type(space) {
    case H5S_SCALAR: return []
    case H5S_SIMPLE: break
    default: throw refused("it has no elements")
    }
    let rank = H5Sget_simple_extent_ndims(space)
    guard (0...Int32(HDF5Weights.mostDimensions)).contains(rank) else {
      throw refused("it has \(rank) dimensions, the limit is \(HDF5Weights.mostDimensions)")
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    guard H5Sget_simple_extent_dims(space, &sizes, nil) == rank else {
      throw .last("cannot read dataset \(path)", file)
    }
    return sizes.map { Int(clamping: $0) }
  }

  /// Where `bytes` bytes lie; nil when there are none.
  private func contiguous(_ bytes: Int) throws(HDF5Error) -> Int? {
    guard bytes > 0 else { return nil }
    let address = H5Dget_offset(set), stored = H5Dget_storage_size(set)
    // The library's undefined address.
    guard address != .max else { throw refused("its elements were never written") }
    guard let offset = Int(exactly: address), stored == hsize_t(bytes) else {
      throw refused("it takes \(bytes) bytes; \(stored) are said to lie at \(address)")
    }
    return offset
  }

  /// The lengths of a chunk, whose bytes are within the limit.
  private func chunk(of tensor: HDF5Weights.Tensor) throws(HDF5Error) -> [Int] {
    let rank = Int32(tensor.dimensions.count)
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    guard rank > 0, H5Pget_chunk(properties, rank, &sizes) == rank, !sizes.contains(0) else {
      throw refused("its chunks have another number of dimensions")
    }
    var bytes = tensor.type.blockBytes
    for size in sizes {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: Int(clamping: size))
      guard !overflow, product <= HDF5Weights.largestChunk else {
        throw refused("its chunks \(sizes) take more than \(HDF5Weights.largestChunk) bytes")
      }
      bytes = product
    }
    return sizes.map { Int(clamping: $0) }
  }

  /// Refuses chunks that would take more memory or time than their file gives reason for.
  private func checkChunks(
    of tensor: HDF5Weights.Tensor, expansion: inout Int
  ) throws(HDF5Error) {
    let chunk = try chunk(of: tensor)
    try checkFilters()
    guard tensor.byteCount <= HDF5Weights.largestChunked else {
      throw refused(
        "it is chunked and takes \(tensor.byteCount) bytes, the limit is "
          + "\(HDF5Weights.largestChunked)")
    }
    guard tensor.byteCount > 0 else { return }
    var count = 1
    for (size, part) in zip(tensor.dimensions, chunk) {
      let (product, overflow) = count.multipliedReportingOverflow(by: (size - 1) / part + 1)
      guard !overflow, product <= HDF5Weights.mostChunks else {
        throw refused("it has more than \(HDF5Weights.mostChunks) chunks")
      }
      count = product
    }
    // Chunks of several datasets may be the same bytes of the file.
    guard tensor.byteCount <= expansion else {
      throw refused("its chunks and those before it expand to more than the file gives reason for")
    }
    expansion -= tensor.byteCount
    ch5_allow(tensor.byteCount / HDF5OpenFile.bytesPerSecond, 0)
    let found = ch5_check_chunks(
      set, properties, Int32(chunk.count), tensor.dimensions.map { UInt64($0) },
      chunk.map { UInt64($0) }, chunk.reduce(tensor.type.blockBytes, *))
    switch Int(found) {
    case CH5_SOUND_CHUNKS: break
    case CH5_MISSING_CHUNKS: throw refused("some of its chunks were never written")
    case CH5_DAMAGED_CHUNKS: throw refused("some of its chunks have an impossible size")
    case CH5_OTHER_FILTERS:
      throw refused("its filters are not shuffle, deflate or zstd, fletcher32 in this order")
    default: throw .last("cannot read the chunks of dataset \(path)", file)
    }
    let stored = Int(clamping: H5Dget_storage_size(set))
    let isBomb = stored < tensor.byteCount / HDF5Weights.mostExpansion
    guard !isBomb || tensor.byteCount <= HDF5Weights.unboundedExpansion else {
      throw refused("its \(stored) bytes would expand to \(tensor.byteCount)")
    }
  }

  /// Deflate, shuffle, checksums and zstd; nothing else is looked for.
  private func checkFilters() throws(HDF5Error) {
    let known: [H5Z_filter_t] = [
      H5Z_filter_t(H5Z_FILTER_DEFLATE), H5Z_filter_t(H5Z_FILTER_SHUFFLE),
      H5Z_filter_t(H5Z_FILTER_FLETCHER32), H5Z_filter_t(CH5_ZSTD),
    ]
    let count = H5Pget_nfilters(properties)
    guard count >= 0 else { throw .last("cannot read the filters of dataset \(path)", file) }
    for index in 0..<UInt32(count) {
      var flags: UInt32 = 0, configuration: UInt32 = 0, values = 0
      let filter = H5Pget_filter2(
        properties, index, &flags, &values, nil, 0, nil, &configuration)
      guard known.contains(filter) else {
        throw refused("it needs the filter \(filter); known: deflate, shuffle, fletcher32, zstd")
      }
    }
  }

  private func refused(_ reason: String) -> HDF5Error {
    .failed(file: file, operation: "dataset \(path)", reason: reason)
  }
}
