import Architectures
import Mixers
import StrictJSON
import TestSupport
import Testing

/// A layout's configuration describes the model it was written for.
struct LayoutRoundTripTests {
  private func described(_ name: String, _ changes: [String: JSONValue?] = [:]) throws
    -> ModelDescription
  {
    let configuration = try TinyModel.configuration(name, changes)
    return try Architectures.of(configuration).describe(configuration)
  }

  /// `model` after a trip through the text of its configuration.
  private func again(
    _ model: ModelDescription, _ layout: any ConvertedLayout.Type
  ) throws -> ModelDescription {
    let text = JSONValue.object(layout.configuration(of: model)).pretty
    let object = try #require(try JSONParser.parse(Array(text.utf8)).object)
    let configuration = Configuration(object, file: "config.json")
    #expect(try Architectures.of(configuration) == layout)
    return try layout.describe(configuration)
  }

  /// `model` as a reader sees it: the context length is at least the public one.
  private func normalised(_ model: ModelDescription) -> ModelDescription {
    var model = model
    model.maximumPositions = max(model.maximumPositions, 131_072)
    return model
  }

  @Test(arguments: [
    ("attn_layers", JSONValue?.some([])), ("attn_layers", .some([0, 1, 2])),
    ("attn_layers", .some([2])), ("window_rule", .some("flash")), ("sliding_window", .some(1)),
    ("rope_theta", .some(1_000_000.0)), ("norm_eps", .some(1e-5)),
    ("num_key_value_heads", .some(1)), ("eos_token_id", .some([2, 5])),
    ("bos_token_id", .some(.null)), ("pad_token_id", .some(3)),
    ("max_position_embeddings", .some(1_000_000)),
  ])
  func `gla_swa round-trips`(_ key: String, _ value: JSONValue?) throws {
    let model = try described("gla_swa", [key: value])
    var expected = normalised(model)
    // Without a window layer there is nothing to write the window of.
    expected.modelType = "gla_swa"
    #expect(try again(model, GLASwa.self) == expected)
  }

  @Test(arguments: [
    ("mixer", JSONValue?.some(["gla", "gla", "gla", "gla"])),
    ("mixer", .some(["full", "full", "window", "window"])),
    ("rope_scaling", .some(.null)), ("window_rule", .some("report")),
    ("rope_scaling", .some(["rope_type": "linear", "factor": 2.5])), ("qk_norm", .some(false)),
    ("qkv_bias", .some(false)), ("o_proj_bias", .some(false)), ("mlp_bias", .some(false)),
    ("head_dim", .some(16)), ("tie_word_embeddings", .some(true)),
    ("gate_low_rank_dim", .some(16)), ("eos_token_id", .some(.null)),
  ])
  func `our own layout round-trips`(_ key: String, _ value: JSONValue?) throws {
    let model = try described("spikingbrain", [key: value])
    #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
  }

  @Test(arguments: ["experts", "carved", "intra-layer"])
  func `experts, branches and sinks round-trip`(_ name: String) throws {
    let model = try described(name)
    #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
  }

  @Test func `explicit frequency divisors round-trip exactly`() throws {
    var model = try described("spikingbrain")
    model.rotary.scaling = .divisors((0..<12).map { 1 + Float($0) / 7 })
    #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
  }

  @Test func `what decoders have that are not like Llama round-trips, as version 2`() throws {
    var model = try described("spikingbrain")
    #expect(SpikingBrainLayout.configuration(of: model)["layout_version"] == 1)
    model.normPlacement = .both
    model.normsAddOne = true
    model.activation = .geluTanh
    model.queryKeyNorm = .whole
    model.multipliers.embedding = Double(Float(48).squareRoot())
    model.multipliers.residual = 0.22
    model.multipliers.scores = 0.0078125
    model.multipliers.logits = 1.0 / 3
    model.softCaps.scores = 50
    model.softCaps.logits = 30
    model.rotary.channels = 18
    model.rotary.scaling = .divisors((0..<9).map { 1 + Float($0) / 7 })
    model.layers[1].rotary = .none
    model.layers[2].rotary = .own(
      RotaryParameters(theta: 5e5, scaling: .linear(factor: 8), channels: 6))
    #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
    #expect(SpikingBrainLayout.configuration(of: model)["layout_version"] == 2)
    #expect(SpikingBrainLayout.obstacles(to: model) == [])
    #expect(model.differences(from: model.plainDecoder).count == 12)
  }

  @Test func `rotary embeddings for long contexts round-trip, as version 4`() throws {
    var model = try described("spikingbrain")
    func check(_ rotary: RotaryParameters) throws {
      model.rotary = rotary
      model.layers[1].rotary = .own(rotary)
      #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
      #expect(SpikingBrainLayout.configuration(of: model)["layout_version"] == 4)
      #expect(!model.differences(from: model.plainDecoder).isEmpty)
      #expect(!GLASwa.obstacles(to: model).isEmpty)
    }
    let yarn = RotaryParameters.Scaling.yarn(
      factor: 16, fast: 32, slow: 1.5, truncates: false, originalPositions: 4096)
    try check(RotaryParameters(theta: 1e6, scaling: yarn))
    try check(RotaryParameters(theta: 1e6, scaling: yarn, magnitude: 1.3, limit: 4096))
    try check(RotaryParameters(theta: 1e4, limit: 8))
    try check(RotaryParameters(theta: 1e4, magnitude: 0.5))
    let factors = RotaryParameters.Scaling.wavelengths((0..<9).map { 1 + Float($0) / 7 })
    try check(RotaryParameters(theta: 1e4, scaling: factors, channels: 18, magnitude: 1.19))
    var experts = try described("experts")
    for layer in experts.layers.indices {
      guard var own = experts.layers[layer].feedForward.experts else { continue }
      own.weighting = .normalized
      experts.layers[layer].feedForward = .experts(own)
    }
    #expect(try again(experts, SpikingBrainLayout.self) == normalised(experts))
    #expect(SpikingBrainLayout.configuration(of: experts)["layout_version"] == 4)
  }

  @Test(arguments: NormPlacement.allCases, Activation.allCases)
  func `every norm placement and activation round-trips`(
    _ placement: NormPlacement, _ activation: Activation
  ) throws {
    var model = try described("spikingbrain")
    (model.normPlacement, model.activation) = (placement, activation)
    #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
  }

  @Test func `another gate rank round-trips`() throws {
    let model = try described("spikingbrain", ["gate_low_rank_dim": 8])
    #expect(model.layers[0].mixer == .gatedLinear(.lowRank(8)))
    #expect(try again(model, SpikingBrainLayout.self) == normalised(model))
  }

  @Test func `gla_swa states what the public class would otherwise guess`() throws {
    let config = GLASwa.configuration(of: try described("gla_swa", ["attn_layers": [0, 2]]))
    #expect(config["attn_layers"] == [0, 2])
    #expect(config["bos_token_id"] == 1)
    #expect(config["eos_token_id"] == 2)
    #expect(config["pad_token_id"] == .null)
    #expect(config["architectures"] == ["GLAswaForCausalLM"])
    #expect(config["auto_map"]?["AutoConfig"] == "configuration_gla_swa.GLAswaConfig")
    #expect(config["window_rule"] == nil, "only our addition, so only when it is not the default")
  }
}
