import Architectures
import Checkpoints
import StrictJSON
import TensorTypes

/// The metadata of a GGUF file in the terms of a Hugging Face config.json, so that one file per
/// architecture describes both formats.
struct GGUFConfiguration {
  let file: GGUFCheckpoint
  let path: String
  let architecture: String
  /// How files of the architecture are read.
  let form: GGUFForm
  /// Which keys of the metadata were asked for.
  let record = KeyRecord()

  init(_ file: GGUFCheckpoint, path: String) throws(ModelFileError) {
    self.file = file
    self.path = path
    guard let architecture = file.metadata.string("general.architecture") else {
      throw .ggufKey("general.architecture", reason: "is missing", file: path)
    }
    self.architecture = architecture
    guard let form = GGUFForm.all[architecture] else {
      throw .ggufArchitecture(
        architecture, known: (GGUFForm.all.keys + [SpikingBrainGGUF.architecture]).sorted(),
        file: path)
    }
    self.form = form
  }

  /// Keys of config.json by what the metadata calls them, below the architecture.
  private static let sizes = [
    ("hidden_size", "embedding_length"), ("num_hidden_layers", "block_count"),
    ("intermediate_size", "feed_forward_length"), ("num_attention_heads", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"), ("head_dim", "attention.key_length"),
    ("max_position_embeddings", "context_length"),
  ]
  /// The same of experts.
  static let expertSizes = [
    ("num_experts", "expert_count"), ("num_experts_per_tok", "expert_used_count"),
    ("moe_intermediate_size", "expert_feed_forward_length"),
  ]
  private static let epsilon = "attention.layer_norm_rms_epsilon", base = "rope.freq_base"
  static let window = "attention.sliding_window"
  /// What no model of these architectures does without.
  private static let required = [
    "embedding_length", "block_count", "feed_forward_length", "attention.head_count", epsilon,
  ]

  /// The configuration; keys the file does not have are absent.
  func configuration() throws -> Configuration {
    for suffix in GGUFConfiguration.required where value(suffix) == nil {
      throw ModelFileError.ggufKey(key(suffix), reason: "is missing", file: path)
    }
    var config = JSONObject([("model_type", .string(form.modelType))])
    for (name, suffix) in GGUFConfiguration.sizes {
      config[name] = try integer(suffix).map { .int($0) }
    }
    // Absent ones are those of llama.cpp, not of the classes in transformers.
    if let width = config["hidden_size"]?.int, let heads = config["num_attention_heads"]?.int {
      if config["num_key_value_heads"] == nil { config["num_key_value_heads"] = .int(heads) }
      if config["head_dim"] == nil, heads > 0, width % heads == 0 {
        config["head_dim"] = .int(width / heads)
      }
    }
    config["rms_norm_eps"] = try number(GGUFConfiguration.epsilon)
    config["rope_theta"] = try number(GGUFConfiguration.base)
    config["rope_scaling"] = try ropeScaling()
    config["vocab_size"] = try vocabularySize()
    config["tie_word_embeddings"] = .bool(!has(TensorAddress(.head)))
    config["attention_bias"] = .bool(has(TensorAddress(.query, .bias, layer: 0)))
    config["mlp_bias"] = .bool(has(TensorAddress(.ffnGate, .bias, layer: 0)))
    for (name, token) in [
      ("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding"),
    ] {
      config[name] = file.metadata.int("tokenizer.ggml.\(token)_token_id").map { .int($0) }
    }
    try form.complete(&config, self)
    return Configuration(config, file: path, spelling: spelling)
  }

  /// What the file calls the keys of config.json.
  private var spelling: [String: String] {
    var spelling = Dictionary(
      uniqueKeysWithValues: GGUFConfiguration.sizes.map { ($0.0, key($0.1)) })
    spelling["rms_norm_eps"] = key(GGUFConfiguration.epsilon)
    spelling["rope_theta"] = key(GGUFConfiguration.base)
    for (name, suffix) in GGUFConfiguration.expertSizes { spelling[name] = key(suffix) }
    spelling["final_logit_softcapping"] = key("final_logit_softcapping")
    spelling["attn_logit_softcapping"] = key("attn_logit_softcapping")
    spelling["sliding_window"] = key(GGUFConfiguration.window)
    spelling["rope_scaling"] = "\(architecture).rope.scaling"
    spelling["vocab_size"] = GGUFNames.table.name(of: TensorAddress(.embedding))
    spelling["tie_word_embeddings"] = GGUFNames.table.name(of: TensorAddress(.head))
    return spelling
  }

  /// Whether the file has the tensor at `address`.
  private func has(_ address: TensorAddress) -> Bool { tensor(address) != nil }

  func tensor(_ address: TensorAddress) -> StoredTensor? {
    GGUFNames.table.name(of: address).flatMap { file.tensor(named: $0) }
  }

  func key(_ suffix: String) -> String { "\(architecture).\(suffix)" }

  /// The value of a key below the architecture, which from now on is a known key.
  func value(_ suffix: String) -> GGUFValue? {
    record.ask(key(suffix))
    return file.metadata[key(suffix)]
  }

  func integer(_ suffix: String) throws(ModelFileError) -> Int? {
    guard let value = value(suffix) else { return nil }
    if let number = value.int { return number }
    // Per-layer lists are legal; we read them when all layers agree.
    if let list = file.metadata.ints(key(suffix)), let first = list.first,
      list.allSatisfy({ $0 == first })
    {
      return first
    }
    throw .ggufKey(key(suffix), reason: "must be one whole number for all layers", file: path)
  }

  /// A number below the architecture, as the shortest text of a float32.
  func number(_ suffix: String) throws(ModelFileError) -> JSONValue? {
    guard let value = value(suffix) else { return nil }
    guard let number = value.double else {
      throw .ggufKey(key(suffix), reason: "must be a number", file: path)
    }
    // Metadata holds f32: print its shortest text, not that of the widened double (1e-05, not
    // 9.999999747378752e-06).
    return .number("\(Float(number))")
  }

  private func vocabularySize() throws(ModelFileError) -> JSONValue? {
    let stated = try integer("vocab_size")
    guard let embedding = tensor(TensorAddress(.embedding)) else { return nil }
    let rows = embedding.shape.dimensions.first
    guard stated == nil || stated == rows else {
      throw .ggufKey(
        key("vocab_size"), reason: "is \(stated ?? 0), but \(embedding.name) has \(rows ?? 0) rows",
        file: path)
    }
    return rows.map { .int($0) }
  }
}
