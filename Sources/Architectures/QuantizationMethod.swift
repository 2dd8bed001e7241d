import StrictJSON

/// How a checkpoint stores weights that are read as floating point: what `quantization_config` says
/// beyond what its tensors say themselves.
///
/// Sources: AutoGPTQ and GPTQModel, AutoAWQ, the FP8 form of DeepSeek and Qwen3, compressed-tensors,
/// bitsandbytes.
public enum QuantizationMethod: Sendable, Equatable {
  /// Codes of `bits` bits with scales and zero points for every `groupSize` inputs (nil: for all). The
  /// first version of the format stores zero points less one.
  case gptq(bits: Int, groupSize: Int?, zeroOffset: Int)
  /// Codes of 4 bits, eight outputs in a word.
  case awq(groupSize: Int?)
  /// Floats of 8 bits with a scale for a tensor, a row or a block of `block` rows and columns.
  case float8(block: [Int]?)
  /// Codes of 4 bits that a table gives values, or INT8 with a scale for a row.
  case bitsAndBytes

  /// Reads `quantization_config`; nil when there is none, or it is one of `CompressedTensors`.
  ///
  /// Whatever else changes a value is an error that names the key.
  public init?(_ config: Configuration) throws(ConfigurationError) {
    guard let object = config.value(CompressedTensors.key) else { return nil }
    let reader = QuantizationReader(object: object, file: config.file)
    switch reader.value("quant_method")?.string {
    case "compressed-tensors":
      guard CompressedTensors.isFloat(reader) else { return nil }
      self = .float8(block: try CompressedTensors.floatBlock(reader))
    case "gptq": self = try Self.gptq(reader)
    case "awq": self = try Self.awq(reader)
    case "fp8":
      self = .float8(block: try reader.block("weight_block_size"))
      guard ["e4m3", nil].contains(reader.value("fmt")?.string) else {
        throw reader.unsupported("fmt", "e4m3")
      }
    case "bitsandbytes":
      guard reader.value("load_in_4bit") == true || reader.value("load_in_8bit") == true else {
        throw reader.unsupported("load_in_4bit", "true, or load_in_8bit")
      }
      self = .bitsAndBytes
    default:
      throw reader.unsupported("quant_method", Self.known.joined(separator: ", "))
    }
  }

  private static let known = ["compressed-tensors", "gptq", "awq", "fp8", "bitsandbytes"]

  private static func gptq(
    _ reader: QuantizationReader
  ) throws(ConfigurationError) -> QuantizationMethod {
    let bits = reader.value("bits")?.int ?? 0
    guard [2, 4, 8].contains(bits) else { throw reader.unsupported("bits", "2, 4, 8") }
    let format = reader.value("checkpoint_format") ?? reader.value("format") ?? "gptq"
    guard let offset = ["gptq": 1, "gptq_v2": 0][format.string ?? ""] else {
      let key = reader.value("checkpoint_format") == nil ? "format" : "checkpoint_format"
      throw reader.unsupported(key, "gptq, gptq_v2")
    }
    if reader.value("is_marlin_format") == true {
      throw reader.unsupported("is_marlin_format", "false")
    }
    if let dynamic = reader.value("dynamic"), dynamic != [:] {
      throw reader.unsupported("dynamic", "none")
    }
    if let type = reader.value("pack_dtype"), type != "int32" {
      throw reader.unsupported("pack_dtype", "int32")
    }
    return .gptq(bits: bits, groupSize: try reader.groupSize(), zeroOffset: offset)
  }

  private static func awq(
    _ reader: QuantizationReader
  ) throws(ConfigurationError) -> QuantizationMethod {
    guard (reader.value("bits") ?? reader.value("w_bit")) == 4 else {
      throw reader.unsupported(reader.value("bits") == nil ? "w_bit" : "bits", "4")
    }
    guard reader.value("zero_point") ?? true == true else {
      throw reader.unsupported("zero_point", "true")
    }
    let version = reader.value("version") ?? reader.value("format") ?? "gemm"
    guard version.string?.lowercased() == "gemm" else {
      throw reader.unsupported(reader.value("version") == nil ? "format" : "version", "gemm")
    }
    return .awq(groupSize: try reader.groupSize())
  }

  /// What it is called, for people.
  public var text: String {
    switch self {
    case .gptq(let bits, let size, _): "GPTQ (\(bits) bits, \(Self.text(size)))"
    case .awq(let size): "AWQ (4 bits, \(Self.text(size)))"
    case .float8: "FP8"
    case .bitsAndBytes: "bitsandbytes"
    }
  }

  private static func text(_ size: Int?) -> String { size.map { "groups of \($0)" } ?? "by output" }
}

/// Values below `quantization_config` by their path.
struct QuantizationReader {
  let object: JSONValue
  let file: String

  /// The value at `path`; null counts as absent.
  func value(_ path: String) -> JSONValue? {
    var value: JSONValue? = object
    for key in path.split(separator: ".") { value = value?[String(key)] }
    return value?.isNull == true ? nil : value
  }

  func expect(_ path: String, _ expected: JSONValue) throws(ConfigurationError) {
    guard value(path) ?? .null == expected else { throw unsupported(path, expected.compact) }
  }

  /// Symmetric integers without reordered inputs.
  func expectIntegers(_ path: String, bits: Int, dynamic: Bool) throws(ConfigurationError) {
    try expect("\(path).num_bits", .int(bits))
    try expect("\(path).type", "int")
    try expect("\(path).symmetric", true)
    try expect("\(path).dynamic", .bool(dynamic))
    try expect("\(path).actorder", .null)
  }

  /// `group_size`; nil for -1, a group of all inputs.
  func groupSize() throws(ConfigurationError) -> Int? {
    let key =
      value("group_size") == nil && value("q_group_size") != nil
      ? "q_group_size" : "group_size"
    guard let size = value(key)?.int, size == -1 || size > 0 else {
      throw unsupported(key, "-1 or a number of inputs")
    }
    return size == -1 ? nil : size
  }

  /// The rows and columns that share a scale; nil when it is absent.
  func block(_ path: String) throws(ConfigurationError) -> [Int]? {
    guard let value = value(path) else { return nil }
    guard let sizes = value.array?.compactMap(\.int), sizes.count == 2,
      sizes.allSatisfy({ $0 > 0 }), value.array?.count == 2
    else { throw unsupported(path, "two positive numbers") }
    return sizes
  }

  func unsupported(_ path: String, _ expected: String) -> ConfigurationError {
    .unsupported(
      key: "\(CompressedTensors.key).\(path)",
      value: String((value(path) ?? .null).compact.prefix(60)), reason: "known: \(expected)",
      file: file)
  }
}
