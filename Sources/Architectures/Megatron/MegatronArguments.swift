public import StrictJSON

/// The arguments of Megatron's training that describe a model and its ranks, as its checkpoints hold
/// them: numbers, text and lists only.
public enum MegatronArguments {
  /// The arguments for `mapping`. What Megatron has no argument for (linear layers, branches, sinks,
  /// which layers have windows) is in config.json alone.
  public static func object(for mapping: MegatronMapping) -> JSONObject {
    var arguments = ranks(mapping.topology)
    for (key, value) in shape(mapping).members { arguments[key] = value }
    for (key, value) in feedForward(mapping.model).members { arguments[key] = value }
    if case .llama3(let factor, _, _, _) = mapping.model.rotary.scaling {
      arguments["use_rope_scaling"] = true
      arguments["rope_scaling_factor"] = .double(factor)
    }
    if case .linear(let factor) = mapping.model.rotary.scaling {
      arguments["rotary_seq_len_interpolation_factor"] = .double(factor)
    }
    return arguments
  }

  /// How many ranks there are.
  private static func ranks(_ topology: MegatronTopology) -> JSONObject {
    JSONObject([
      ("tensor_model_parallel_size", .int(topology.tensor)),
      ("pipeline_model_parallel_size", .int(topology.pipeline)),
      ("expert_model_parallel_size", .int(topology.expert)),
      ("expert_tensor_parallel_size", .int(topology.tensor)),
      ("virtual_pipeline_model_parallel_size", .null),
    ])
  }

  private static func shape(_ mapping: MegatronMapping) -> JSONObject {
    let model = mapping.model
    return JSONObject([
      ("num_layers", .int(model.layers.count)),
      ("hidden_size", .int(model.hiddenSize)),
      ("ffn_hidden_size", .int(model.feedForwardSize)),
      ("seq_length", .int(model.maximumPositions)),
      ("max_position_embeddings", .int(model.maximumPositions)),
      ("num_attention_heads", .int(model.heads)),
      ("group_query_attention", .bool(model.keyValueHeads != model.heads)),
      ("num_query_groups", .int(model.keyValueHeads)),
      ("kv_channels", .int(model.headDim)),
      ("position_embedding_type", "rope"),
      ("add_position_embedding", false),
      ("rotary_base", whole(model.rotary.theta)),
      ("rotary_percent", .double(1)),
      ("rotary_interleaved", false),
      ("add_bias_linear", .bool(model.biases.feedForward || model.biases.output)),
      ("add_qkv_bias", .bool(model.biases.queryKeyValue)),
      ("qk_layernorm", .bool(model.hasQueryKeyNorm)),
      ("swiglu", true),
      ("normalization", "RMSNorm"),
      ("norm_epsilon", .double(model.normEpsilon)),
      ("untie_embeddings_and_output_weights", .bool(!model.tiesEmbeddings)),
      ("vocab_size", .int(model.vocabularySize)),
      ("padded_vocab_size", .int(mapping.vocabularyRows)),
      ("make_vocab_size_divisible_by", .int(MegatronTopology.vocabularyMultiple)),
      ("tokenizer_type", "HuggingFaceTokenizer"),
      ("attention_dropout", .double(0)),
      ("hidden_dropout", .double(0)),
    ])
  }

  /// Experts: scores are a softmax over all of them before the best are chosen.
  private static func feedForward(_ model: ModelDescription) -> JSONObject {
    guard let experts = model.layers.lazy.compactMap(\.feedForward.experts).first else {
      return JSONObject([("num_experts", .null)])
    }
    let shared = experts.sharedSize
    return JSONObject([
      ("num_experts", .int(experts.routed)),
      ("moe_layer_freq", .ints(model.layers.map { $0.feedForward == .dense ? 0 : 1 })),
      ("moe_ffn_hidden_size", .int(experts.size)),
      ("moe_shared_expert_intermediate_size", shared > 0 ? .int(shared) : .null),
      ("moe_router_topk", .int(experts.chosen)),
      ("moe_router_pre_softmax", true),
      ("moe_router_score_function", "softmax"),
      ("moe_grouped_gemm", true),
    ])
  }

  /// A number without a fraction as an integer, which is what Megatron's argument takes.
  private static func whole(_ number: Double) -> JSONValue {
    Int(exactly: number).map { .int($0) } ?? .double(number)
  }

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
