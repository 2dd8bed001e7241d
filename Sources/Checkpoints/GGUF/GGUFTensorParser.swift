import TensorTypes

/// Reads the tensor list of a GGUF file and places every tensor in the file.
struct GGUFTensorParser {
  /// More tensors than any model has (a 76B mixture of experts has about two thousand).
  static let tensorCountLimit = 1 << 20
  /// The limit of the specification (`GGML_MAX_NAME`).
  static let nameLengthLimit = 64
  /// The limit of the specification (`GGML_MAX_DIMS`).
  static let dimensionLimit = 4
  /// The alignment when `general.alignment` is absent.
  static let defaultAlignment = 32

  /// A tensor as the list states it: its offset counts from the start of the data section.
  private struct Entry {
    var name: String
    var type: ScalarType
    var shape: Shape
    var byteCount: Int
    var offset: Int
  }

  /// The alignment that `metadata` states: a power of two.
  static func alignment(_ metadata: GGUFMetadata, file: String) throws(CheckpointError) -> Int {
    guard let value = metadata["general.alignment"] else { return defaultAlignment }
    guard let alignment = value.int, (1...1 << 30).contains(alignment),
      alignment.nonzeroBitCount == 1
    else { throw .ggufAlignment(file: file, got: value.int.map(String.init) ?? "no integer") }
    return alignment
  }

  /// Reads `count` tensor entries at `cursor`; the data section starts at the next multiple of
  /// `alignment`. Returns them in file order.
  static func parse(
    count: UInt64, alignment: Int, at cursor: inout GGUFCursor
  ) throws(CheckpointError) -> [StoredTensor] {
    guard count <= UInt64(tensorCountLimit) else {
      throw .limitExceeded(
        file: cursor.file, quantity: "tensor count", limit: tensorCountLimit, got: count)
    }
    var entries: [Entry] = []
    var names: Set<String> = []
    for number in 0..<count {
      let entry = try entry(number, alignment: alignment, at: &cursor)
      guard names.insert(entry.name).inserted else {
        throw .duplicateTensor(tensor: entry.name, first: cursor.file, second: cursor.file)
      }
      entries.append(entry)
    }
    let dataStart = (cursor.offset + alignment - 1) / alignment * alignment
    return try place(entries, dataStart: dataStart, file: cursor.file, size: cursor.bytes.count)
  }

  /// Passes over `count` tensor entries.
  static func skip(
    count: UInt64, alignment: Int, at cursor: inout GGUFCursor
  ) throws(CheckpointError) {
    for number in 0..<min(count, UInt64(tensorCountLimit)) {
      _ = try entry(number, alignment: alignment, at: &cursor)
    }
  }

  private static func entry(
    _ number: UInt64, alignment: Int, at cursor: inout GGUFCursor
  ) throws(CheckpointError) -> Entry {
    let file = cursor.file
    let name = try cursor.string("name of tensor \(number)", limit: nameLengthLimit)
    let dimensionCount = try cursor.integer("dimensions of tensor \(name)", as: UInt32.self)
    guard dimensionCount <= UInt32(dimensionLimit) else {
      throw .limitExceeded(
        file: file, quantity: "number of dimensions of tensor \(name)", limit: dimensionLimit,
        got: UInt64(dimensionCount))
    }
    var dimensions: [Int] = []
    for _ in 0..<dimensionCount {
      let dimension = try cursor.integer("dimensions of tensor \(name)", as: UInt64.self)
      guard let dimension = Int(exactly: dimension) else {
        throw .limitExceeded(
          file: file, quantity: "dimension of tensor \(name)", limit: .max, got: dimension)
      }
      dimensions.append(dimension)
    }
    let typeID = try cursor.integer("type of tensor \(name)", as: UInt32.self)
    let offset = try cursor.integer("offset of tensor \(name)", as: UInt64.self)
    guard let type = GGUFType.scalarType(typeID) else {
      throw .unsupportedType(file: file, tensor: name, type: GGUFType.name(typeID))
    }
    // GGUF states dimensions fastest first.
    let shape = Shape(dimensions.reversed())
    guard let byteCount = shape.byteCount(type) else {
      throw .sizeOverflow(file: file, tensor: name, shape: shape, type: type)
    }
    guard offset % UInt64(alignment) == 0 else {
      throw .misaligned(file: file, tensor: name, offset: offset, alignment: alignment)
    }
    // Sizes below 2^61 cannot overflow when added; larger ones cannot be in the file.
    guard offset < 1 << 61, byteCount < 1 << 61 else {
      throw .truncated(
        file: file, part: "tensor \(name)", expected: Int(clamping: offset),
        got: cursor.bytes.count)
    }
    return Entry(
      name: name, type: type, shape: shape, byteCount: byteCount, offset: Int(offset))
  }

  private static func place(
    _ entries: [Entry], dataStart: Int, file: String, size: Int
  ) throws(CheckpointError) -> [StoredTensor] {
    var tensors = entries.map { entry in
      StoredTensor(
        name: entry.name, type: entry.type, shape: entry.shape, file: file,
        offset: dataStart + entry.offset, byteCount: entry.byteCount)
    }
    tensors.sort { ($0.offset, $0.end, $0.name) < ($1.offset, $1.end, $1.name) }
    var previous: StoredTensor?
    for tensor in tensors {
      if let previous, tensor.offset < previous.end {
        throw .overlap(
          file: file, tensor: tensor.name, offset: tensor.offset, previous: previous.name,
          previousEnd: previous.end)
      }
      previous = tensor
    }
    if let last = previous, last.end > size {
      throw .truncated(file: file, part: "tensor data", expected: last.end, got: size)
    }
    return tensors
  }
}
