public import StrictJSON
public import TensorTypes

/// How a `compressed-tensors` checkpoint stores its projections, as `quantization_config` says;
/// specified in `formats/compressed-tensors/README.md`.
public struct CompressedTensors: Sendable, Equatable {
  /// The key of config.json.
  public static let key = "quantization_config"
  /// What the name of a weight is followed by in the names of its packed codes and of its shape.
  public static let packedSuffix = "_packed", shapeSuffix = "_shape"

  /// How codes lie in files.
  public var format: Format
  /// What codes they are, and how they are scaled.
  public var quantization: WeightQuantization
  /// Whether activations are rounded to INT8 as well, token by token.
  public var roundsActivations: Bool

  /// How codes lie in files.
  public enum Format: String, Sendable, CaseIterable {
    /// One int8 per code.
    case integers = "int-quantized"
    /// Four codes + 128, or eight codes + 8, in an int32, the first in its lowest bits.
    case packed = "pack-quantized"
  }

  /// A way of storing projections.
  public init(format: Format, _ quantization: WeightQuantization, roundsActivations: Bool) {
    self.format = format
    self.quantization = quantization
    self.roundsActivations = roundsActivations
  }

  /// The `quantization_config` of this.
  ///
  /// - Parameter ignoring: the names of modules that stay in floating point, or patterns after `re:`.
  public func configuration(ignoring: [String]) -> JSONValue {
    var group = JSONObject([
      ("targets", ["Linear"]), ("weights", .object(Self.integers(quantization))),
    ])
    group["input_activations"] =
      roundsActivations ? .object(Self.integers(strategy: "token", isDynamic: true)) : .null
    group["output_activations"] = .null
    return .object(
      JSONObject([
        ("quant_method", "compressed-tensors"), ("format", .string(format.rawValue)),
        ("quantization_status", "compressed"), ("global_compression_ratio", .null),
        ("kv_cache_scheme", .null), ("ignore", .array(ignoring.map { .string($0) })),
        ("config_groups", .object(JSONObject([("group_0", .object(group))]))),
      ]))
  }

  private static func integers(_ quantization: WeightQuantization) -> JSONObject {
    var object = integers(strategy: "channel", isDynamic: false)
    object["num_bits"] = .int(quantization.codes.bits)
    if case .group(let size) = quantization.granularity {
      object["strategy"] = "group"
      object["group_size"] = .int(size)
    }
    return object
  }

  private static func integers(strategy: String, isDynamic: Bool) -> JSONObject {
    JSONObject([
      ("num_bits", 8), ("type", "int"), ("symmetric", true), ("strategy", .string(strategy)),
      ("group_size", .null), ("dynamic", .bool(isDynamic)), ("actorder", .null),
      ("block_structure", .null), ("observer", isDynamic ? .null : "minmax"),
    ])
  }
}

extension CompressedTensors {
  /// Reads `quantization_config`; nil when there is none.
  ///
  /// Weights in INT8, or packed in INT4, symmetric, by channel or group; INT8 activations by token or none.
  /// Anything else is an error that names the key.
  public init?(_ config: Configuration) throws(ConfigurationError) {
    guard let object = config.value(Self.key) else { return nil }
    let reader = QuantizationReader(object: object, file: config.file)
    try reader.expect("quant_method", "compressed-tensors")
    try reader.expect("quantization_status", "compressed")
    try reader.expect("kv_cache_scheme", .null)
    guard let groups = object["config_groups"]?.object?.members, groups.count == 1,
      let group = groups.first
    else { throw reader.unsupported("config_groups", "one group") }
    let place = "config_groups.\(group.key)"
    try reader.expect("\(place).targets", ["Linear"])
    try reader.expect("\(place).output_activations", .null)
    let codes = reader.value("\(place).weights.num_bits") == 4 ? WeightCodes.int4 : .int8
    try reader.expectIntegers("\(place).weights", bits: codes.bits, dynamic: false)
    let name = reader.value("format")?.string ?? ""
    guard let format = Format(rawValue: name) else {
      throw reader.unsupported(
        "format", Format.allCases.map(\.rawValue).joined(separator: " or "))
    }
    self.format = format
    guard codes == .int8 || format == .packed else {
      throw reader.unsupported("format", "\(Format.packed.rawValue) for 4 bits")
    }
    let granularity: ScaleGranularity
    let strategy = reader.value("\(place).weights.strategy")?.string
    switch strategy {
    case "channel": granularity = .channel
    case "group":
      let size = reader.value("\(place).weights.group_size")?.int ?? 0
      guard ScaleGranularity.groupSizes.contains(size) else {
        throw reader.unsupported(
          "\(place).weights.group_size",
          ScaleGranularity.groupSizes.map(String.init).joined(separator: ", "))
      }
      granularity = .group(size)
    default: throw reader.unsupported("\(place).weights.strategy", "channel or group")
    }
    quantization = WeightQuantization(codes, granularity)
    roundsActivations = reader.value("\(place).input_activations") != nil
    if roundsActivations {
      try reader.expectIntegers("\(place).input_activations", bits: 8, dynamic: true)
      try reader.expect("\(place).input_activations.strategy", "token")
    }
  }

  /// The formats that hold floats of 8 bits.
  private static let floatFormats = ["float-quantized", "naive-quantized"]

  /// Whether the weights are floats of 8 bits.
  static func isFloat(_ reader: QuantizationReader) -> Bool {
    let format = reader.value("format")?.string ?? ""
    guard floatFormats.contains(format) else { return false }
    let groups = reader.value("config_groups")?.object?.members ?? []
    return groups.contains { $0.value["weights"]?["type"] == "float" }
  }

  /// The rows and columns that share a scale of floats of 8 bits; nil where the tensors say it.
  static func floatBlock(_ reader: QuantizationReader) throws(ConfigurationError) -> [Int]? {
    try reader.expect("quantization_status", "compressed")
    try reader.expect("kv_cache_scheme", .null)
    guard let groups = reader.value("config_groups")?.object?.members, groups.count == 1,
      let group = groups.first
    else { throw reader.unsupported("config_groups", "one group") }
    let weights = "config_groups.\(group.key).weights"
    try reader.expect("config_groups.\(group.key).output_activations", .null)
    try reader.expect("\(weights).num_bits", 8)
    try reader.expect("\(weights).symmetric", true)
    switch reader.value("\(weights).strategy")?.string {
    case "tensor", "channel": return nil
    case "block":
      guard let block = try reader.block("\(weights).block_structure") else {
        throw reader.unsupported("\(weights).block_structure", "two positive numbers")
      }
      return block
    default: throw reader.unsupported("\(weights).strategy", "tensor, channel, block")
    }
  }
}
