public import StrictJSON

extension MegatronArguments {
  /// Largest number of ranks of one kind that is believed.
  private static let mostRanks = 65_536

  /// The ranks that the arguments in `file` name.
  public static func topology(
    _ arguments: JSONObject, file: String
  ) throws(ConfigurationError) -> MegatronTopology {
    let config = Configuration(arguments, file: file)
    func count(_ key: String) throws(ConfigurationError) -> Int {
      try config.count(key, in: 1...mostRanks, default: 1)
    }
    let topology = MegatronTopology(
      tensor: try count("tensor_model_parallel_size"),
      pipeline: try count("pipeline_model_parallel_size"),
      expert: try count("expert_model_parallel_size"))
    if let chunks = config.value("virtual_pipeline_model_parallel_size")?.int, chunks > 1 {
      throw .unsupported(
        key: "virtual_pipeline_model_parallel_size", value: "\(chunks)",
        reason: "stages that hold several runs of layers are not read", file: file)
    }
    let cut = try config.count(
      "expert_tensor_parallel_size", in: 1...mostRanks, default: topology.tensor)
    if cut != topology.tensor, config.value("num_experts")?.int != nil {
      throw .unsupported(
        key: "expert_tensor_parallel_size", value: "\(cut)",
        reason: "experts must be cut for as many ranks as other matrices (\(topology.tensor))",
        file: file)
    }
    return topology
  }

  /// A config.json for the arguments in `file` of a directory that has none: dense models with full
  /// attention in every layer, as one of the source architectures.
  public static func configuration(
    _ arguments: JSONObject, file: String
  ) throws(ConfigurationError) -> JSONObject {
    let config = Configuration(arguments, file: file)
    func refuse(_ key: String, _ reason: String) -> ConfigurationError {
      .unsupported(
        key: key, value: config.value(key)?.compact ?? "null", reason: reason, file: file)
    }
    if config.value("num_experts")?.int != nil {
      throw refuse("num_experts", "experts need a config.json beside the checkpoint")
    }
    guard try config.bool("swiglu", default: false) else {
      throw refuse("swiglu", "only SwiGLU is read")
    }
    guard config.value("normalization")?.string == "RMSNorm" else {
      throw refuse("normalization", "only RMSNorm is read")
    }
    guard config.value("position_embedding_type")?.string == "rope" else {
      throw refuse("position_embedding_type", "only rotary embeddings are read")
    }
    let hasNorm = try config.bool("qk_layernorm", default: false)
    let hasBias = try config.bool("add_qkv_bias", default: false)
    let everyBias = try config.bool("add_bias_linear", default: false)
    let isQwen2 = hasBias && !everyBias
    let modelType = hasNorm ? Qwen3.modelType : isQwen2 ? Qwen2.modelType : Llama.modelType
    if everyBias, !hasBias || hasNorm {
      throw refuse("add_bias_linear", "no source architecture has these biases")
    }
    return try configuration(config, modelType: modelType, everyBias: everyBias)
  }

  private static func configuration(
    _ config: Configuration, modelType: String, everyBias: Bool
  ) throws(ConfigurationError) -> JSONObject {
    let heads = try config.size("num_attention_heads")
    let isGrouped = try config.bool("group_query_attention", default: false)
    let key = config.value("vocab_size") == nil ? "padded_vocab_size" : "vocab_size"
    let vocabulary = try config.size(key)
    var object = JSONObject([
      ("model_type", .string(modelType)),
      ("vocab_size", .int(vocabulary)),
      ("hidden_size", .int(try config.size("hidden_size"))),
      ("intermediate_size", .int(try config.size("ffn_hidden_size"))),
      ("num_hidden_layers", .int(try config.size("num_layers"))),
      ("num_attention_heads", .int(heads)),
      ("num_key_value_heads", .int(isGrouped ? try config.size("num_query_groups") : heads)),
      ("hidden_act", "silu"),
      ("attention_bias", .bool(everyBias)),
      ("mlp_bias", .bool(everyBias)),
    ])
    for (key, theirs) in [
      ("head_dim", "kv_channels"), ("max_position_embeddings", "max_position_embeddings"),
      ("rope_theta", "rotary_base"), ("rms_norm_eps", "norm_epsilon"),
    ] {
      object[key] = config.value(theirs)
    }
    let isUntied = try config.bool("untie_embeddings_and_output_weights", default: false)
    object["tie_word_embeddings"] = .bool(!isUntied)
    if try config.bool("use_rope_scaling", default: false) {
      object["rope_scaling"] = [
        "rope_type": "llama3", "factor": config.value("rope_scaling_factor") ?? .double(8),
        "low_freq_factor": .double(1), "high_freq_factor": .double(4),
        "original_max_position_embeddings": .int(8192),
      ]
    } else if let factor = config.value("rotary_seq_len_interpolation_factor")?.double {
      object["rope_scaling"] = ["rope_type": "linear", "factor": .double(factor)]
    }
    return object
  }
}
