import Architectures
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// The `quantization_config` of compressed-tensors.
struct CompressedTensorsTests {
  private static let schemes = [
    CompressedTensors(
      format: .integers, WeightQuantization(.int8, .channel), roundsActivations: true),
    CompressedTensors(
      format: .packed, WeightQuantization(.int8, .group(128)), roundsActivations: false),
    CompressedTensors(
      format: .packed, WeightQuantization(.int4, .group(128)), roundsActivations: false),
  ]

  private func read(_ object: JSONValue) throws -> CompressedTensors? {
    try CompressedTensors(
      Configuration(JSONObject([(CompressedTensors.key, object)]), file: "config.json"))
  }

  @Test(arguments: schemes)
  func `what is written is read`(_ scheme: CompressedTensors) throws {
    #expect(try read(scheme.configuration(ignoring: ["lm_head"])) == scheme)
  }

  @Test func `without the key there is none`() throws {
    #expect(try CompressedTensors(TinyModel.qwen2.configuration()) == nil)
  }

  /// A change at a path below `quantization_config`.
  struct Change: Sendable, CustomTestStringConvertible {
    var path: String
    var value: JSONValue
    var named: String
    var testDescription: String { "\(path) \(value.compact)" }

    init(_ path: String, _ value: JSONValue, named: String? = nil) {
      self.path = path
      self.value = value
      self.named = named ?? path
    }
  }

  private static let weights = "config_groups.group_0.weights"
  private static let activations = "config_groups.group_0.input_activations"

  @Test(arguments: [
    Change("quant_method", "gptq"), Change("quant_method", nil),
    Change("format", "float-quantized"),
    Change("format", nil), Change("quantization_status", "frozen"),
    Change("kv_cache_scheme", ["num_bits": 8]), Change("config_groups", [:]),
    Change("config_groups", ["a": [:], "b": [:]]), Change("config_groups", "W8A8"),
    Change("config_groups.group_0.targets", ["Linear", "Embedding"]),
    Change("config_groups.group_0.output_activations", ["num_bits": 8]),
    Change("config_groups.group_0.weights", nil, named: weights + ".num_bits"),
    Change(weights + ".num_bits", 3), Change(weights + ".type", "float"),
    Change(weights + ".symmetric", false), Change(weights + ".dynamic", true),
    Change(weights + ".actorder", "weight"), Change(weights + ".strategy", "block"),
    Change(weights + ".strategy", "group", named: weights + ".group_size"),
    Change(activations + ".dynamic", false), Change(activations + ".strategy", "tensor"),
    Change(activations + ".num_bits", 16),
  ])
  func `what is not supported is named`(_ change: Change) throws {
    let sound = Self.schemes[0].configuration(ignoring: [])
    let changed = Self.changed(sound, change.path.split(separator: ".")[...], change.value)
    #expect {
      try read(changed)
    } throws: { error in
      guard
        case ConfigurationError.unsupported(let key, _, _, let file)? =
          error as? ConfigurationError
      else { return false }
      return key == "quantization_config.\(change.named)" && file == "config.json"
    }
  }

  private static func changed(
    _ object: JSONValue, _ path: ArraySlice<Substring>, _ value: JSONValue
  ) -> JSONValue {
    guard let key = path.first.map(String.init) else { return value }
    var members = object.object ?? JSONObject()
    members[key] = changed(members[key] ?? .null, path.dropFirst(), value)
    return .object(members)
  }
}
