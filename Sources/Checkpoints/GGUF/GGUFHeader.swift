import TensorTypes

/// The start of a GGUF file (version 3) that is going to be written, and the place of every tensor.
public struct GGUFHeader: Sendable {
  /// Tensors start at multiples of this many bytes, and the file ends at one.
  public static let alignment = GGUFTensorParser.defaultAlignment
  /// `GGML_MAX_NAME` without the zero byte that ends a name there.
  public static let nameLimit = GGUFTensorParser.nameLengthLimit - 1

  /// A metadata value with the width it is written in.
  public enum Value: Sendable, Hashable {
    case uint16(UInt16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case string(String)
    /// An array of uint8.
    case bytes([UInt8])
  }

  /// Metadata, tensor list and padding: the first bytes of the file.
  public let bytes: [UInt8]
  /// The tensors in the order in which they are written, with absolute offsets.
  public let tensors: [StoredTensor]
  /// The size of the whole file, padding after the last tensor included.
  public let fileBytes: Int

  /// The header of the file `file` that holds `entries` in their order after `metadata`.
  public init(
    file: String, metadata: [(key: String, value: Value)], entries: [SafetensorsHeader.Entry]
  ) throws(CheckpointError) {
    var out = GGUFFile.magic + GGUFHeader.little(UInt32(3))
    out += GGUFHeader.little(UInt64(entries.count)) + GGUFHeader.little(UInt64(metadata.count))
    for (key, value) in metadata {
      try GGUFHeader.checkLength(of: value, key: key, file: file)
      out += GGUFHeader.text(key)
      GGUFHeader.append(value, to: &out)
    }
    var placed: [StoredTensor] = [], names: Set<String> = [], end = 0
    for entry in entries {
      guard names.insert(entry.name).inserted else {
        throw .duplicateTensor(tensor: entry.name, first: file, second: file)
      }
      guard entry.name.utf8.count <= GGUFHeader.nameLimit else {
        throw .nameTooLong(tensor: entry.name, limit: GGUFHeader.nameLimit)
      }
      guard let type = GGUFType.id(entry.type),
        entry.shape.dimensions.count <= GGUFTensorParser.dimensionLimit
      else { throw .notWritable(tensor: entry.name, type: entry.type) }
      // The margin is for the header, whose length is not known yet.
      guard let count = entry.shape.byteCount(entry.type), count < (1 << 62) - end else {
        throw .sizeOverflow(file: file, tensor: entry.name, shape: entry.shape, type: entry.type)
      }
      out += GGUFHeader.text(entry.name)
      out += GGUFHeader.little(UInt32(entry.shape.dimensions.count))
      for dimension in entry.shape.dimensions.reversed() {
        out += GGUFHeader.little(UInt64(dimension))
      }
      out += GGUFHeader.little(type) + GGUFHeader.little(UInt64(end))
      placed.append(
        StoredTensor(
          name: entry.name, type: entry.type, shape: entry.shape, file: file, offset: end,
          byteCount: count))
      end += GGUFHeader.padded(count)
    }
    out += [UInt8](repeating: 0, count: GGUFHeader.padded(out.count) - out.count)
    for index in placed.indices { placed[index].offset += out.count }
    bytes = out
    tensors = placed
    fileBytes = out.count + end
  }

  /// The next multiple of the alignment.
  public static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  /// Refuses what the reader would.
  private static func checkLength(
    of value: Value, key: String, file: String
  ) throws(CheckpointError) {
    let (length, limit) =
      switch value {
      case .string(let text): (text.utf8.count, GGUFMetadataParser.stringLengthLimit)
      case .bytes(let bytes): (bytes.count, GGUFMetadataParser.elementLimit)
      default: (0, 0)
      }
    guard length <= limit else {
      throw .limitExceeded(
        file: file, quantity: "length of metadata \(key)", limit: limit, got: UInt64(length))
    }
  }

  private static func append(_ value: Value, to out: inout [UInt8]) {
    switch value {
    case .uint16(let value): out += little(UInt32(2)) + little(value)
    case .uint32(let value): out += little(UInt32(4)) + little(value)
    case .int32(let value): out += little(UInt32(5)) + little(value)
    case .float32(let value): out += little(UInt32(6)) + little(value.bitPattern)
    case .string(let value): out += little(UInt32(8)) + text(value)
    case .bytes(let value):
      out += little(UInt32(9)) + little(UInt32(0)) + little(UInt64(value.count)) + value
    }
  }

  private static func text(_ text: String) -> [UInt8] {
    little(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  private static func little<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
