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
}
