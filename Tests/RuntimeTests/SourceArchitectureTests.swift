import Architectures
import Checkpoints
import Foundations
import Kernels
import Mixers
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// Source architectures that are not like Llama, from the file to logits, and through a conversion.
///
/// Tests/Reference/make_source_fixtures.py makes the fixtures with transformers.
struct SourceArchitectureTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A fixture and what is changed in its configuration.
  struct Golden: Sendable, CustomTestStringConvertible {
    var kind: String
    var variant = ""
    var changes: [String: JSONValue] = [:]
    var testDescription: String { kind + variant }
  }

  /// Phi-4-mini's form, for texts of 24 tokens.
  static let longRope: [String: JSONValue] = [
    "original_max_position_embeddings": 24, "max_position_embeddings": 96,
    "rope_parameters": [
      "rope_theta": 500.0, "rope_type": "longrope", "partial_rotary_factor": 0.75,
      "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.5, 3.5],
    ],
  ]

  static let all = [
    Golden(kind: "phi3"),
    Golden(
      kind: "phi3", variant: "-window",
      changes: ["sliding_window": 7, "rope_parameters": .null, "rope_theta": 10000.0]),
    Golden(kind: "gemma2"),
    Golden(kind: "olmo2"), Golden(kind: "granite"), Golden(kind: "gemma3_text"),
    Golden(kind: "mixtral"), Golden(kind: "olmoe"), Golden(kind: "smollm3"), Golden(kind: "olmo3"),
    Golden(kind: "ministral"), Golden(kind: "ministral3"), Golden(kind: "seed_oss"),
    Golden(kind: "minicpm"), Golden(kind: "qwen3_moe"),
    Golden(
      kind: "qwen3_moe", variant: "-plain",
      changes: ["norm_topk_prob": false, "use_sliding_window": true, "sliding_window": 7]),
    Golden(kind: "phi3", variant: "-longrope", changes: longRope),
    Golden(
      kind: "gemma2", variant: "-plain",
      changes: [
        "attn_logit_softcapping": .null, "final_logit_softcapping": .null,
        "query_pre_attn_scalar": 12, "hidden_activation": "gelu",
        "layer_types": ["full_attention", "sliding_attention"],
      ]),
  ]

  /// The versions of our own layout that conversions need, where they are not 2; 0 for the public layout.
  private static let versions = [
    "phi3-window": 0, "phi3-longrope": 4, "mixtral": 4, "qwen3_moe": 4, "smollm3": 4, "olmo3": 4,
    "ministral3": 4, "qwen3_moe-plain": 1, "ministral": 1, "seed_oss": 1,
  ]

  /// Writes the fixture of `kind`, changed, to `name`; returns where.
  private func write(
    _ kind: String, _ changes: [String: JSONValue] = [:], to name: String = "source"
  ) throws -> String {
    let fixture = Repository.fixture("sources/\(kind)")
    var object = try JSONFile.object("\(fixture)/config.json")
    for (key, value) in changes { object[key] = value }
    try directory.write("\(name)/config.json", JSONValue.object(object).compact)
    try directory.write(
      "\(name)/model.safetensors", try Files.bytes("\(fixture)/model.safetensors"))
    return directory(name)
  }

  @Test(arguments: all, [false, true])
  func `agree with the reference`(_ golden: Golden, _ stepwise: Bool) throws {
    let model = try openModel(write(golden.kind, golden.changes))
    let fixture = try SafetensorsFile(
      path: Repository.fixture("sources/\(golden.kind)/golden\(golden.variant).safetensors"))
    let tokens = try fixture.elements("tokens", as: Int32.self).map(Int.init)
    var stream: [Float] = []
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: tokens, stepwise: stepwise) { layer, _, hidden in
      if layer == model.description.layers.count { stream += hidden.values }
    }
    let logits = try model.logits(hidden, rows: 0..<tokens.count)
    let expected = try fixture.elements("logits", as: Float.self)
    #expect(difference(logits.values, expected) < GoldenLogitsTests.tolerance)
    #expect(
      difference(stream, try fixture.elements("hidden", as: Float.self))
        < GoldenLogitsTests.tolerance)
  }

  @Test(arguments: all)
  func `a conversion as all-window is its source`(_ golden: Golden) throws {
    let source = try ModelFile.open(write(golden.kind, golden.changes))
    try TinyModel.convert(source.path, to: directory("converted")) { $0.window = 6 }
    let converted = try ModelFile.open(directory("converted"))
    try converted.requireSound()
    let version = SourceArchitectureTests.versions[golden.testDescription] ?? 2
    #expect(converted.architecture.modelType == (version == 0 ? "gla_swa" : "spikingbrain"))
    #expect(
      converted.configuration.object["layout_version"]?.int == (version == 0 ? nil : version))
    #expect(converted.description.longestText == nil)
    let mixer = Mixer.window(.init(size: 7))
    let tokens = someTokens(24, below: 64)
    let left = try Model(source.description.withAllLayers(mixer), weights: source)
    let right = try Model(converted.description.withAllLayers(mixer), weights: converted)
    #expect(try left.logits(tokens) == right.logits(tokens))
    // What is added by the conversion is used, and can be decoded step by step.
    let whole = try Model(converted.description, weights: converted)
    #expect(
      difference(try whole.logits(tokens, stepwise: true), try whole.logits(tokens)) < 1e-4)
  }

  @Test(arguments: ["ministral3", "phi3"])
  func `texts that would turn otherwise are refused, unless windows are shorter`(
    _ kind: String
  ) throws {
    let source = try ModelFile.open(
      write(kind, kind == "phi3" ? SourceArchitectureTests.longRope : [:]))
    let model = try Model(source.description, weights: source)
    #expect(model.description.longestText == 24)
    let tokens = someTokens(25, below: 64)
    var state = DecodingState(for: model.description)
    _ = try model.extend(&state, with: Array(tokens[..<24]))
    for attempt in [
      { _ = try model.logits(tokens) }, { _ = try model.extend(&state, with: [tokens[24]]) },
    ] {
      let error = #expect(throws: RuntimeError.self) { try attempt() }
      #expect(error == .tooLong(25, limit: 24) && error?.exitCode == 2)
    }
    let conversions: [(window: Int, full: Bool, limit: Int?)] = [
      (24, false, nil), (25, false, 24), (8, true, 24),
    ]
    for (number, conversion) in conversions.enumerated() {
      try TinyModel.convert(source.path, to: directory("c\(number)")) {
        $0.window = conversion.window
        if conversion.full { $0.fullAttentionLayers = .list([0]) }
      }
      let converted = try ModelFile.open(directory("c\(number)"))
      #expect(converted.description.longestText == conversion.limit)
    }
  }

  @Test func `fused projections are read in place`() throws {
    let file = try ModelFile.open(write("phi3"))
    let stored = try file.reader.view("model.layers.1.self_attn.qkv_proj.weight")
    let key = try file.view(TensorAddress(.key, layer: 1))
    #expect(key.shape == [16, 32])
    #expect(key.bytes.baseAddress == stored.bytes.baseAddress.map { $0 + 32 * 32 * 4 })
    #expect(
      file.name(of: TensorAddress(.value, layer: 1))
        == "model.layers.1.self_attn.qkv_proj.weight[48:64] in \(file.path)")
  }

  @Test func `a fused projection of other sizes, a missing and a foreign one are found`() throws {
    func problems(_ changes: [String: JSONValue]) throws -> [String] {
      let file = try ModelFile.open(write("phi3", changes))
      return file.problems.map { $0.text(hangingOn: file.keys(of: $0)) }
    }
    let other = try problems(["num_key_value_heads": 1])
    #expect(other.count == 2)
    #expect(other[0].contains("qkv_proj.weight in"))
    #expect(other[0].contains("has shape [64, 32], the configuration calls for [48, 32]"))
    #expect(other[0].contains("num_key_value_heads"))
    let deeper = try problems(["num_hidden_layers": 3])
    #expect(deeper.count == 6)
    #expect(
      deeper.contains { $0.contains("model.layers.2.mlp.gate_up_proj.weight [48, 32] is missing") })
    let llama = try problems(["model_type": "llama", "rope_parameters": .null])
    #expect(
      llama.contains { $0.contains("qkv_proj.weight") && $0.contains("not part of this model") })
  }

  /// Keys of config.json with values that change what Phi-3 computes.
  static let refused: [(String, JSONValue)] = [
    ("short_factor", ["type": "longrope", "short_factor": [1.0], "long_factor": [1.0]]),
    ("rope_scaling", ["rope_type": "linear", "factor": 2.0]),
    ("partial_rotary_factor", 0.4), ("hidden_act", "gelu"),
  ]

  @Test(arguments: refused)
  func `Phi-3 refuses by name`(_ key: String, _ value: JSONValue) throws {
    let name = value["short_factor"] == nil ? key : "rope_scaling"
    let path = try write("phi3", ["rope_parameters": .null, name: value])
    let error = #expect(throws: ConfigurationError.self) { _ = try ModelFile.open(path) }
    #expect(error?.description.contains(key) == true)
  }

  @Test func `names may begin with a prefix`() throws {
    let source = try write("phi3")
    try CheckpointEdit(source).rewrite { tensors in
      for index in tensors.indices {
        tensors[index].entry.name = "language_model." + tensors[index].name
      }
    }
    let file = try ModelFile.open(source)
    try file.requireSound()
    #expect(file.notes.contains { $0.contains("language_model.") })
  }

  @Test(arguments: ["language_model.", "model.language_model."])
  func `the language model of a model of several parts is read alone`(_ prefix: String) throws {
    let source = try write("phi3")
    let plain = try openModel(source), tokens = someTokens(9, below: 64)
    let text = try JSONFile.object("\(source)/config.json")
    try directory.write(
      "source/config.json",
      JSONValue.object(
        JSONObject([
          ("model_type", "llava"), ("image_token_index", 3), ("vision_config", ["hidden_size": 8]),
          ("text_config", .object(text)), ("tie_word_embeddings", false),
        ])
      ).compact)
    try CheckpointEdit(source).rewrite { tensors in
      for index in tensors.indices {
        let name = tensors[index].name
        // Newer files have the head beside the parts.
        tensors[index].entry.name =
          prefix == "language_model."
          ? prefix + name : name.hasPrefix("model.") ? prefix + name.dropFirst(6) : name
      }
      tensors.append(.init("vision_tower.patch.weight", shape: [4, 4]))
      tensors.append(.init("multi_modal_projector.linear.weight", shape: [4, 4]))
    }
    let file = try ModelFile.open(source)
    #expect(file.problems == [])
    #expect(file.ignored.count == 2)
    #expect(file.notes.contains { $0.contains("language model alone") })
    let model = try Model(file.description, weights: file)
    #expect(try model.logits(tokens) == plain.logits(tokens))
  }

  @Test func `what no published model here has is computed as its formulas say`() throws {
    // The same numbers by another way: factors and caps that undo each other, norms that are 1 + w.
    let source = try ModelFile.open(write("phi3")), tokens = someTokens(9, below: 64)
    let plain = try Model(source.description, weights: source).logits(tokens)
    var scaled = source.description
    scaled.multipliers.logits = 0.25
    scaled.multipliers.scores = 1 / Double(scaled.headDim).squareRoot()
    scaled.softCaps.scores = 1e6
    let quarter = try Model(scaled, weights: source).logits(tokens)
    #expect(difference(quarter.map { 4 * $0 }, plain) < 1e-5)
    scaled.multipliers.residual = 0.5
    #expect(
      difference(try Model(scaled, weights: source).logits(tokens).map { 4 * $0 }, plain) > 1e-2)
    // Layers may turn their own channels, or none.
    var layered = source.description
    layered.rotary = RotaryParameters(theta: 3)
    for layer in layered.layers.indices {
      layered.layers[layer].rotary = .own(source.description.rotary)
    }
    #expect(try Model(layered, weights: source).logits(tokens) == plain)
    layered.layers[1].rotary = .none
    let (first, still) = (tokens[0..<1], try Model(layered, weights: source))
    // Nothing turns at position 0.
    #expect(difference(try still.logits(Array(first)), plain[..<64]) < 1e-5)
    #expect(difference(try still.logits(tokens), plain) > 1e-3)
  }
}
