import Architectures
import Foundations
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// `quantization` in a configuration, and the tensors that follow from it.
struct QuantizationTests {
  private func described(
    _ quantization: JSONValue?, of name: String = "spikingbrain"
  ) throws -> ModelDescription {
    let configuration = try TinyModel.configuration(name, ["quantization": quantization])
    return try SpikingBrainLayout.describe(configuration)
  }

  @Test func `codes and scales of projections, nothing else`() throws {
    let model = try described(["weights": "int8", "group_size": 32])
    #expect(model.quantization == WeightQuantization(.int8, .group(32)))
    let plain = try described(nil)
    var found: [String: (Shape, ScalarType?)] = [:]
    for requirement in model.requirements {
      let name = try #require(SpikingBrainLayout.names.name(of: requirement.address))
      #expect(SpikingBrainLayout.names.match(name) == .tensor(requirement.address))
      found[name] = (requirement.shape, requirement.type)
    }
    let down = "model.layers.1.mlp.down_proj.weight"
    #expect(try #require(found[down]) == (Shape([64, 112]), .int8))
    #expect(try #require(found[down + "_scale"]) == (Shape([64, 4]), .float32))
    #expect(try #require(found["model.layers.0.attn.q_proj.weight_scale"]).0 == [96, 2])
    let scaled = found.keys.filter { $0.hasSuffix("_scale") }
    #expect(scaled.count == 4 * 7)
    #expect(found.values.count { $0.1 == .int8 } == 4 * 7)
    for kept in ["lm_head", "model.embeddings", "model.layers.0.attn.gk_proj.0"] {
      #expect(try #require(found[kept + ".weight"]).1 == nil)
      #expect(found[kept + ".weight_scale"] == nil)
    }
    #expect(model.requirements.count == plain.requirements.count + 28)
    #expect(model.parameterCount == plain.parameterCount)
    #expect(model.parameterParts.map(\.count) == plain.parameterParts.map(\.count))
  }

  @Test func `experts have scales, routers have not`() throws {
    let model = try described(["weights": "int8", "group_size": "channel"], of: "experts")
    let names = model.requirements.filter { $0.type == .float32 }.compactMap {
      SpikingBrainLayout.names.name(of: $0.address)
    }
    #expect(names.contains { $0.hasSuffix("mlp.experts.1.down_proj.weight_scale") })
    #expect(names.contains { $0.hasSuffix("mlp.shared_expert.up_proj.weight_scale") })
    #expect(!names.contains { $0.hasSuffix("mlp.gate.weight_scale") })
    #expect(model.requirements.filter { $0.type == .float32 }.allSatisfy { $0.shape.columns == 1 })
  }

  @Test func `codes of 4 bits lie two in a byte`() throws {
    let model = try described(["weights": "int4", "group_size": 32])
    let plain = try described(nil)
    let found = model.requirements.reduce(into: [String: (Shape, ScalarType?)]()) {
      $0[SpikingBrainLayout.names.name(of: $1.address) ?? ""] = ($1.shape, $1.type)
    }
    let down = "model.layers.1.mlp.down_proj.weight"
    #expect(try #require(found[down]) == (Shape([64, 56]), .uint8))
    #expect(try #require(found[down + "_scale"]) == (Shape([64, 4]), .float32))
    #expect(model.parameterCount == plain.parameterCount)
    #expect(model.parameterParts.map(\.count) == plain.parameterParts.map(\.count))
    #expect(SpikingBrainLayout.configuration(of: model)["layout_version"] == 3)
    let odd = try TinyModel.configuration(
      "spikingbrain",
      ["quantization": ["weights": "int4", "group_size": 32], "intermediate_size": 111])
    let error = #expect(throws: ConfigurationError.self) { try SpikingBrainLayout.describe(odd) }
    #expect(try #require(error).description.contains("111"))
  }

  @Test(
    arguments: [ScaleGranularity.group(32), .group(128), .group(1024), .channel],
    WeightCodes.allCases)
  func `the configuration round-trips`(granularity: ScaleGranularity, codes: WeightCodes) throws {
    var model = try described(nil)
    model.quantization = WeightQuantization(codes, granularity)
    let text = JSONValue.object(SpikingBrainLayout.configuration(of: model)).pretty
    let object = try #require(try JSONParser.parse(Array(text.utf8)).object)
    let again = try SpikingBrainLayout.describe(Configuration(object, file: "config.json"))
    #expect(again.quantization == WeightQuantization(codes, granularity))
    #expect(!GLASwa.obstacles(to: model).isEmpty)
  }

  private static let mistakes: [(JSONValue, String)] = [
    (["weights": "int3", "group_size": 128], "int3"), (["weights": "int8"], "group_size"),
    (["group_size": 128], "weights"), (["weights": "int8", "group_size": 100], "100"),
    (["weights": "int8", "group_size": 0], "0"),
    (["weights": "int8", "group_size": "row"], "row"),
    (["weights": "int8", "group_size": 128, "bits": 8], "bits"), ("int8", "an object"),
  ]

  @Test(arguments: mistakes)
  func `anything else is an error that says so`(_ value: JSONValue, _ word: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try described(value) }
    #expect(try #require(error).description.contains(word))
  }
}
