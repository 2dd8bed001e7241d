import Architectures
import Checkpoints
import StrictJSON
import TensorTypes

/// The metadata of a GGUF file in the terms of a Hugging Face config.json, so that one file per
/// architecture describes both formats.
struct GGUFConfiguration {
  /// GGUF architectures and the `model_type` they stand for.
  static let modelTypes = ["llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"]

  let file: GGUFCheckpoint
  let path: String
  let architecture: String

  init(_ file: GGUFCheckpoint, path: String) throws(ModelFileError) {
    self.file = file
    self.path = path
    guard let architecture = file.metadata.string("general.architecture") else {
      throw .ggufKey("general.architecture", reason: "is missing", file: path)
    }
    self.architecture = architecture
  }

  /// The configuration; keys the file does not have are absent.
  func configuration() throws -> Configuration {
    guard let modelType = GGUFConfiguration.modelTypes[architecture] else {
      throw ModelFileError.ggufArchitecture(
        architecture,
        known: (GGUFConfiguration.modelTypes.keys + [SpikingBrainGGUF.architecture]).sorted(),
        file: path)
    }
    // Mistral files carry `llama`; what tells them apart is the window.
    let windowed =
      architecture == "llama" && file.metadata.int(key("attention.sliding_window")) != nil
    var config = JSONObject([("model_type", .string(windowed ? "mistral" : modelType))])
    for (key, suffix) in [
      ("hidden_size", "embedding_length"), ("num_hidden_layers", "block_count"),
      ("intermediate_size", "feed_forward_length"), ("num_attention_heads", "attention.head_count"),
      ("num_key_value_heads", "attention.head_count_kv"), ("head_dim", "attention.key_length"),
      ("max_position_embeddings", "context_length"),
      ("sliding_window", "attention.sliding_window"),
    ] {
      config[key] = try integer(suffix).map { .int($0) }
    }
    config["rms_norm_eps"] = number("attention.layer_norm_rms_epsilon")
    config["rope_theta"] = number("rope.freq_base")
    config["rope_scaling"] = try ropeScaling()
    config["vocab_size"] = try vocabularySize()
    config["tie_word_embeddings"] = .bool(!has(TensorAddress(.head)))
    config["attention_bias"] = .bool(has(TensorAddress(.query, .bias, layer: 0)))
    config["mlp_bias"] = .bool(has(TensorAddress(.ffnGate, .bias, layer: 0)))
    for (key, name) in [
      ("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding"),
    ] {
      config[key] = file.metadata.int("tokenizer.ggml.\(name)_token_id").map { .int($0) }
    }
    return Configuration(config, file: path)
  }

  /// Whether the file has the tensor at `address`.
  private func has(_ address: TensorAddress) -> Bool { tensor(address) != nil }

  private func tensor(_ address: TensorAddress) -> StoredTensor? {
    GGUFNames.table.name(of: address).flatMap { file.tensor(named: $0) }
  }

  private func key(_ suffix: String) -> String { "\(architecture).\(suffix)" }

  private func integer(_ suffix: String) throws(ModelFileError) -> Int? {
    guard let value = file.metadata[key(suffix)] else { return nil }
    if let number = value.int { return number }
    // Per-layer lists are legal; we read them when all layers agree.
    if let list = file.metadata.ints(key(suffix)), let first = list.first,
      list.allSatisfy({ $0 == first })
    {
      return first
    }
    throw .ggufKey(key(suffix), reason: "must be one whole number for all layers", file: path)
  }

  private func number(_ suffix: String) -> JSONValue? {
    // Metadata holds f32: print its shortest text, not that of the widened double (1e-05, not
    // 9.999999747378752e-06).
    file.metadata.double(key(suffix)).map { .number("\(Float($0))") }
  }

  private func ropeScaling() throws -> JSONValue? {
    if let divisors = try ropeDivisors() {
      return ["rope_type": "factors", "factors": .array(divisors.map { .number("\($0)") })]
    }
    let kind = file.metadata.string(key("rope.scaling.type")) ?? "none"
    if kind == "none" { return nil }
    return [
      "rope_type": .string(kind), "factor": number("rope.scaling.factor") ?? .null,
    ]
  }

  /// The divisors in `rope_freqs.weight`, which Llama 3.1 files store instead of a key.
  private func ropeDivisors() throws -> [Float]? {
    guard let tensor = tensor(TensorAddress(.ropeFactors)) else { return nil }
    guard tensor.type == .float32 else {
      throw ModelFileError.ggufKey(
        tensor.name, reason: "must be float32, is \(tensor.type.rawValue)", file: path)
    }
    let bytes = try file.view(tensor.name).bytes
    return (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
  }

  private func vocabularySize() throws(ModelFileError) -> JSONValue? {
    guard let embedding = tensor(TensorAddress(.embedding)) else { return nil }
    return embedding.shape.dimensions.first.map { .int($0) }
  }
}
