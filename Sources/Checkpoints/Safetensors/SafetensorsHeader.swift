import StrictJSON
public import TensorTypes

/// The header of a safetensors file that is going to be written, and the place of every tensor.
public struct SafetensorsHeader: Sendable {
  /// Tensor data starts at a multiple of this many bytes: enough for SIMD loads from a mapped
  /// file. The format itself asks for 8.
  public static let alignment = 64

  /// A tensor to be written.
  public struct Entry: Sendable, Hashable {
    /// The name in the file.
    public var name: String
    /// The element type; quantised types cannot be written.
    public var type: ScalarType
    /// The shape, slowest dimension first.
    public var shape: Shape

    /// A tensor to be written.
    public init(name: String, type: ScalarType, shape: Shape) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  /// The first bytes of the file, up to the first tensor.
  public let bytes: [UInt8]
  /// The tensors in the order in which their bytes follow the header, with absolute offsets.
  public let tensors: [StoredTensor]

  /// The size of the whole file.
  public var fileBytes: Int { tensors.last?.end ?? bytes.count }

  /// The header of the file `file` that holds `entries`.
  ///
  /// The entries keep their order, except that wider elements come first: so every tensor is
  /// aligned to its element size, as the reference library's writer does it.
  public init(
    file: String, entries: [Entry], metadata: [String: String] = ["format": "pt"]
  ) throws(CheckpointError) {
    let metadata = metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
    var members = JSONObject([("__metadata__", .object(JSONObject(metadata)))])
    var placed: [StoredTensor] = []
    var end = 0
    for entry in SafetensorsHeader.inFileOrder(entries) {
      guard !entry.type.isQuantised else {
        throw .notWritable(tensor: entry.name, type: entry.type)
      }
      guard members[entry.name] == nil else {
        throw .duplicateTensor(tensor: entry.name, first: file, second: file)
      }
      // The margin is for the header, whose length is not known yet.
      guard let count = entry.shape.byteCount(entry.type), count < (1 << 62) - end else {
        throw .sizeOverflow(file: file, tensor: entry.name, shape: entry.shape, type: entry.type)
      }
      members[entry.name] = [
        "dtype": .string(entry.type.storedName), "shape": .ints(entry.shape.dimensions),
        "data_offsets": .ints([end, end + count]),
      ]
      placed.append(
        StoredTensor(
          name: entry.name, type: entry.type, shape: entry.shape, file: file, offset: end,
          byteCount: count))
      end += count
    }
    bytes = try SafetensorsHeader.encode(members, file: file)
    for index in placed.indices { placed[index].offset += bytes.count }
    tensors = placed
  }

  /// `entries` with wider elements first, otherwise in the same order.
  private static func inFileOrder(_ entries: [Entry]) -> [Entry] {
    Dictionary(grouping: entries, by: \.type.blockBytes).sorted { $0.key > $1.key }.flatMap(\.value)
  }

  private static func encode(
    _ members: JSONObject, file: String
  ) throws(CheckpointError) -> [UInt8] {
    var text = Array(JSONValue.object(members).compact.utf8)
    let padding = (alignment - (8 + text.count) % alignment) % alignment
    text += [UInt8](repeating: UInt8(ascii: " "), count: padding)
    guard text.count <= SafetensorsFile.headerLimit else {
      throw .limitExceeded(
        file: file, quantity: "header length", limit: SafetensorsFile.headerLimit,
        got: UInt64(text.count))
    }
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}
