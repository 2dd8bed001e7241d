import StrictJSON
import TensorTypes

/// Turns the JSON header of a safetensors file into tensors, checking every statement it makes.
struct SafetensorsHeaderParser {
  /// The tensors in file order, and the free-form metadata.
  typealias Header = (tensors: [StoredTensor], metadata: [String: String])

  private static let metadataKey = "__metadata__"

  private let file: String
  private let dataStart: Int
  private let fileBytes: Int

  /// Parses `header`, whose data section spans `dataStart..<fileBytes` of `file`.
  static func parse(
    _ header: UnsafeRawBufferPointer, dataStart: Int, fileBytes: Int, file: String
  ) throws(CheckpointError) -> Header {
    // The format demands an opening brace as the first byte; JSON would allow white space.
    if let first = header.first, first != UInt8(ascii: "{") {
      throw .headerStart(file: file, got: first)
    }
    let document = try JSONFile.parse(header, file: file)
    let parser = SafetensorsHeaderParser(file: file, dataStart: dataStart, fileBytes: fileBytes)
    return try parser.header(document.object ?? JSONObject())
  }

  private func header(_ object: JSONObject) throws(CheckpointError) -> Header {
    var metadata: [String: String] = [:]
    var tensors: [StoredTensor] = []
    tensors.reserveCapacity(object.count)
    for (name, value) in object.members {
      if name == SafetensorsHeaderParser.metadataKey {
        metadata = try self.metadata(value)
      } else {
        tensors.append(try tensor(name, value))
      }
    }
    tensors.sort { ($0.offset, $0.end, $0.name) < ($1.offset, $1.end, $1.name) }
    try checkCoverage(tensors)
    return (tensors, metadata)
  }

  private func metadata(_ value: JSONValue) throws(CheckpointError) -> [String: String] {
    let key = SafetensorsHeaderParser.metadataKey
    guard let object = value.object else { throw field(key, "an object of strings") }
    var metadata: [String: String] = [:]
    for (name, value) in object.members {
      guard let text = value.string else { throw field("\(key).\(name)", "a string") }
      metadata[name] = text
    }
    return metadata
  }

  private func tensor(
    _ name: String, _ value: JSONValue
  ) throws(CheckpointError) -> StoredTensor {
    guard value.object != nil else { throw field(name, "an object") }
    guard let typeName = value["dtype"]?.string else { throw field("\(name).dtype", "a string") }
    guard let dimensions = naturals(value["shape"]) else {
      throw field("\(name).shape", "an array of non-negative integers")
    }
    guard let offsets = naturals(value["data_offsets"]), offsets.count == 2,
      offsets[0] <= offsets[1]
    else { throw field("\(name).data_offsets", "two integers [begin, end] with begin <= end") }
    guard let type = ScalarType(storedName: typeName), !type.isQuantised else {
      throw .unsupportedType(file: file, tensor: name, type: typeName)
    }
    let shape = Shape(dimensions)
    guard let expected = shape.byteCount(type) else {
      throw .sizeOverflow(file: file, tensor: name, shape: shape, type: type)
    }
    let got = offsets[1] - offsets[0]
    guard got == expected else {
      throw .sizeMismatch(
        file: file, tensor: name, shape: shape, type: type, expected: expected, got: got)
    }
    // An end past the end of the file is reported as missing bytes once all tensors are known.
    let (end, overflow) = dataStart.addingReportingOverflow(offsets[1])
    guard !overflow else {
      throw .truncated(file: file, part: "tensor \(name)", expected: .max, got: fileBytes)
    }
    return StoredTensor(
      name: name, type: type, shape: shape, file: file, offset: end - got, byteCount: got)
  }

  /// The tensors must follow each other without gap or overlap and end where the file ends.
  private func checkCoverage(_ tensors: [StoredTensor]) throws(CheckpointError) {
    var end = dataStart
    var previous = "the header"
    for tensor in tensors {
      if tensor.offset > end {
        throw .gap(file: file, tensor: tensor.name, offset: tensor.offset, expected: end)
      }
      if tensor.offset < end {
        throw .overlap(
          file: file, tensor: tensor.name, offset: tensor.offset, previous: previous,
          previousEnd: end)
      }
      end = tensor.end
      previous = tensor.name
    }
    if end > fileBytes {
      throw .truncated(file: file, part: "tensor data", expected: end, got: fileBytes)
    }
    if end < fileBytes { throw .trailingBytes(file: file, expected: end, got: fileBytes) }
  }

  /// The elements of an array of numbers written as plain non-negative integers.
  private func naturals(_ value: JSONValue?) -> [Int]? {
    guard let elements = value?.array else { return nil }
    var numbers: [Int] = []
    for case .number(let text) in elements {
      guard let number = Int(text), text.first != "-" else { return nil }
      numbers.append(number)
    }
    return numbers.count == elements.count ? numbers : nil
  }

  private func field(_ name: String, _ expected: String) -> CheckpointError {
    .headerField(file: file, field: name, expected: expected)
  }
}
