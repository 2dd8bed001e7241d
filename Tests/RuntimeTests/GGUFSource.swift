import Architectures
import Checkpoints
import Mixers
import ModelFiles
import StrictJSON
import TestSupport

/// A small model of a source architecture, written as GGUF files that differ in keys.
struct GGUFSource {
  /// The kinds of files that are known, by names of their own.
  static let kinds = [
    "llama", "qwen2", "qwen3", "gemma2", "gemma3", "qwen3moe", "mixtral", "olmoe", "olmo2",
    "smollm3",
  ]
  static let tokens = someTokens(24, below: 64)

  /// What files call the architecture.
  let architecture: String
  /// The same model as a directory.
  let source: ModelFile
  private let directory: TemporaryDirectory

  /// Synthesizes the model called `kind`.
  init(_ kind: String, in directory: TemporaryDirectory) throws {
    self.directory = directory
    architecture = kind == "mixtral" ? "llama" : kind
    let plain: [String: TinyModel] = ["llama": .llama, "qwen2": .qwen2Tied, "qwen3": .qwen3]
    if let model = plain[kind] {
      try model.synthesize(to: directory("s"))
    } else {
      try GGUFSource.write(kind, to: directory)
    }
    source = try ModelFile.open(directory("s"))
  }

  /// Writes the fixture, changed to what files of the architecture can say.
  private static func write(_ kind: String, to directory: TemporaryDirectory) throws {
    let fixtures = ["gemma3": "gemma3_text", "qwen3moe": "qwen3_moe"]
    // What files of an architecture cannot say is as llama.cpp takes it to be.
    let changes: [String: [String: JSONValue]] = [
      "gemma2": ["query_pre_attn_scalar": 12],
      "gemma3": [
        "query_pre_attn_scalar": 12, "layer_types": .null, "sliding_window_pattern": 2,
        "rope_parameters": [
          "full_attention": ["rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0],
          "sliding_attention": ["rope_theta": 10_000.0],
        ],
      ],
      "mixtral": ["sliding_window": .null], "qwen3moe": ["mlp_only_layers": []],
      "smollm3": ["no_rope_layers": .null, "rope_parameters": ["rope_theta": 500.0]],
    ]
    let fixture = Repository.fixture("sources/\(fixtures[kind] ?? kind)")
    var object = try JSONFile.object("\(fixture)/config.json")
    for (key, value) in changes[kind] ?? [:] { object[key] = value }
    if kind == "qwen3moe" {
      // All layers have experts, of which the fixture has fewer.
      try TinyModel.synthesize(Configuration(object, file: "config.json"), to: directory("s"))
    } else {
      try directory.write("s/config.json", JSONValue.object(object).compact)
      try directory.write("s/model.safetensors", try Files.bytes("\(fixture)/model.safetensors"))
    }
  }

  /// The file, with `change` in the place of the key below the architecture that it is for.
  func file(changing key: String? = nil, _ change: (inout GGUFWriter) -> Void = { _ in }) throws
    -> ModelFile
  {
    var writer = try GGUFModel(
      directory("s"), as: architecture, omitting: Set(key.map { [$0] } ?? [])
    ).writer
    func set(_ name: String, _ number: Int) {
      if name != key { writer.set("\(architecture).\(name)", number) }
    }
    func set(_ name: String, _ number: Float) {
      if name != key { writer.set("\(architecture).\(name)", number) }
    }
    let model = source.description
    if let experts = model.layers.last?.feedForward.experts {
      set("expert_count", experts.routed)
      set("expert_used_count", experts.chosen)
      set("expert_feed_forward_length", experts.size)
    }
    if let window = model.layers[0].mixer.window { set("attention.sliding_window", window.size) }
    if architecture.hasPrefix("gemma") {
      if let cap = model.softCaps.scores { set("attn_logit_softcapping", Float(cap)) }
      set("final_logit_softcapping", Float(model.softCaps.logits ?? 0))
    }
    if architecture == "gemma3" {
      set("attention.sliding_window_pattern", 2)
      set("rope.scaling.factor", Float(4))
    }
    change(&writer)
    return try ModelFile.open(directory.write("m.gguf", writer.bytes))
  }
}
