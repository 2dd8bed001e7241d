import Architectures
import Checkpoints
import StrictJSON

/// How GGUF files of one architecture differ from what all of them have: keys of their own, and tensors
/// that are stored otherwise than in directories.
///
/// Source: llama.cpp's loader and converter, which give absent keys and unsaid facts their meaning.
struct GGUFForm: Sendable {
  /// The `model_type` it stands for.
  var modelType: String
  /// The others that a file may stand for, by what `complete` finds in it.
  var otherTypes: [String] = []
  /// Whether rows of q and k are stored for interleaved rotary pairs.
  var isInterleaved = false
  /// Whether norms whose weight is 1 + w are stored as that.
  var storesWholeNorms = false
  /// Adds to a configuration what all files have not.
  var complete: @Sendable (inout JSONObject, GGUFConfiguration) throws -> Void = { _, file in
    try file.requireNoWindow()
  }

  /// The architectures by what files call them.
  static let all: [String: GGUFForm] = [
    "llama": GGUFForm(
      modelType: "llama", otherTypes: ["mistral", "mixtral"], isInterleaved: true
    ) { config, file in
      // Mistral files carry `llama`; what tells them apart is the window. Mixtral's have experts.
      let window = try file.integer(GGUFConfiguration.window) ?? 0
      if window > 0 {
        config["model_type"] = "mistral"
        config["sliding_window"] = .int(window)
      }
      if try file.integer("expert_count") ?? 0 > 0 {
        config["model_type"] = "mixtral"
        try file.addExperts(to: &config, isNormalized: true)
        if let size = config["moe_intermediate_size"], size != config["intermediate_size"] {
          throw ModelFileError.ggufKey(
            file.key("expert_feed_forward_length"),
            reason: "is \(size.compact); experts of llama have feed_forward_length", file: file.path
          )
        }
      }
    },
    "qwen2": GGUFForm(modelType: "qwen2"),
    "qwen3": GGUFForm(modelType: "qwen3"),
    "qwen3moe": GGUFForm(modelType: "qwen3_moe") { config, file in
      try file.requireNoWindow()
      try file.addExperts(to: &config, isNormalized: true)
      config["norm_topk_prob"] = true
      if config["moe_intermediate_size"] == nil {
        throw ModelFileError.ggufKey(
          file.key("expert_feed_forward_length"), reason: "is missing", file: file.path)
      }
    },
    "olmoe": GGUFForm(modelType: "olmoe") { config, file in
      try file.requireNoWindow()
      try file.addExperts(to: &config, isNormalized: false)
      if let size = config["moe_intermediate_size"] { config["intermediate_size"] = size }
      config["norm_topk_prob"] = false
    },
    "olmo2": GGUFForm(modelType: "olmo2"),
    "smollm3": GGUFForm(modelType: "smollm3", isInterleaved: true) { config, file in
      try file.requireNoWindow()
      config["no_rope_layer_interval"] = 4
    },
    "gemma2": GGUFForm(modelType: "gemma2", storesWholeNorms: true) { config, file in
      try file.addSlidingLayers(to: &config, period: 2, window: 4096)
      try file.addGemmaScores(to: &config, largest: 46)
      for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        config[key] = try file.number(key)
      }
    },
    "gemma3": GGUFForm(modelType: "gemma3_text", storesWholeNorms: true) { config, file in
      try file.addSlidingLayers(to: &config, period: 6, window: nil)
      try file.addGemmaScores(to: &config, largest: 62)
      config["final_logit_softcapping"] = try file.number("final_logit_softcapping")
      var full = config["rope_scaling"]?.object ?? JSONObject()
      if full["rope_type"] == "yarn" {
        throw ModelFileError.ggufKey(
          file.key("rope.scaling.type"),
          reason: "is yarn; in files of gemma3 known: none, linear", file: file.path)
      }
      full["rope_theta"] = config["rope_theta"] ?? 10_000.0
      config["rope_parameters"] = [
        "full_attention": .object(full),
        "sliding_attention": ["rope_theta": try file.number("rope.freq_base_swa") ?? 10_000.0],
      ]
      for key in ["rope_theta", "rope_scaling"] { config[key] = nil }
    },
  ]
}

extension GGUFConfiguration {
  /// Throws when there is a window: which layers have it is not said.
  fileprivate func requireNoWindow() throws {
    guard let window = try integer(GGUFConfiguration.window), window != 0 else { return }
    throw ModelFileError.ggufKey(
      key(GGUFConfiguration.window),
      reason: "is \(window); which layers of \(architecture) have that window is not said",
      file: path)
  }

  /// Experts, which a file without them cannot do without here.
  ///
  /// - Parameter isNormalized: whether the weights of the chosen ones are divided by their sum, which
  ///   follows from the architecture.
  fileprivate func addExperts(to config: inout JSONObject, isNormalized: Bool) throws {
    let norm = "expert_weights_norm"
    if let stated = value(norm), stated.bool != isNormalized {
      throw ModelFileError.ggufKey(
        key(norm), reason: "must be \(isNormalized) in files of \(architecture)", file: path)
    }
    for (name, suffix) in GGUFConfiguration.expertSizes {
      config[name] = try integer(suffix).map { .int($0) }
    }
    for (name, suffix) in GGUFConfiguration.expertSizes.dropLast() where config[name] == nil {
      throw ModelFileError.ggufKey(key(suffix), reason: "is missing", file: path)
    }
  }

  /// Windows in all layers but every `period`th, unless the file says otherwise.
  ///
  /// - Parameter window: the window of files that name none; nil when these have full attention alone.
  fileprivate func addSlidingLayers(
    to config: inout JSONObject, period: Int, window: Int?
  ) throws {
    let depth = config["num_hidden_layers"]?.int ?? 0
    guard (1...Configuration.mostLayers).contains(depth) else { return }
    let size = try integer(GGUFConfiguration.window) ?? window ?? 0
    let pattern = "attention.sliding_window_pattern"
    var slides = (0..<depth).map { ($0 + 1) % period != 0 }
    if let stated = value(pattern) {
      let list = stated.array?.compactMap(\.bool) ?? []
      if list.count >= depth {
        slides = Array(list.prefix(depth))
      } else if let own = stated.int, own > 0 {
        slides = (0..<depth).map { ($0 + 1) % own != 0 }
      } else {
        throw ModelFileError.ggufKey(
          key(pattern), reason: "must be a number above 0 or a truth value for each layer",
          file: path)
      }
    }
    if size > 0 { config["sliding_window"] = .int(size) }
    config["layer_types"] = .array(
      slides.map { $0 && size > 0 ? "sliding_attention" : "full_attention" })
  }

  /// The factor of scores, which no key says: that of the largest model of the family is made of the
  /// hidden size, those of all others of the channels of a head.
  ///
  /// - Parameter largest: the layers of the largest model.
  fileprivate func addGemmaScores(to config: inout JSONObject, largest: Int) throws {
    guard let width = config["hidden_size"]?.int, let heads = config["num_attention_heads"]?.int,
      heads > 0
    else { return }
    config["query_pre_attn_scalar"] =
      config["num_hidden_layers"]?.int == largest
      ? .double(Double(width) / Double(heads)) : config["head_dim"]
  }
}
