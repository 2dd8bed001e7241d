import Architectures
import Checkpoints
import StrictJSON

extension GGUFConfiguration {
  /// Checks what the metadata says of heads beyond the configuration, and what the keys mean that nobody
  /// asked for: sentences for the user.
  ///
  /// Throws when a key would change what `model` computes.
  func restNotes(_ model: ModelDescription) throws -> [String] {
    for (suffix, what) in [
      ("rope.dimension_count", "only fully rotated heads"),
      ("attention.value_length", "only values as wide as keys"),
    ] {
      guard let width = value(suffix), width.int != model.headDim else { continue }
      throw ModelFileError.ggufKey(
        key(suffix), reason: "is \(width.json.compact); \(what) (\(model.headDim)) are supported",
        file: path)
    }
    if let scale = value("attention.scale")?.double, scale != 0,
      Float(scale) != 1 / Float(model.headDim).squareRoot()
    {
      throw ModelFileError.ggufKey(
        key("attention.scale"), reason: "is \(scale); only 1/sqrt(head width) is supported",
        file: path)
    }
    let own = "\(architecture)."
    let rest = file.metadata.keys.compactMap { name -> (key: String, value: JSONValue)? in
      guard !record.wasAsked(name),
        !GGUFConfiguration.harmlessPrefixes.contains(where: name.hasPrefix)
      else { return nil }
      return (name, file.metadata[name]?.json ?? .null)
    }
    return try GGUFConfiguration.keys(below: own).notes(on: rest, file: path)
  }

  /// Sections that say nothing about what the tensors compute: the tokenizer is read elsewhere.
  private static let harmlessPrefixes = [
    "general.", "tokenizer.", "split.", "quantize.", "imatrix.", "mradermacher.", "adapter.type",
  ]

  /// Keys below an architecture that llama.cpp reads for these models or for others.
  ///
  /// Source: the key constants of the `gguf` package and what llama.cpp's loader does with them; 0 turns
  /// most of them off there.
  private static func keys(below own: String) -> KeyTable {
    let zero: JSONValue = 0
    let neutral: [(String, [JSONValue])] =
      [
        "expert_count", "expert_used_count", "expert_shared_count", "expert_group_count",
        "expert_group_used_count", "expert_group_scale", "experts_per_group",
        "expert_feed_forward_length", "expert_shared_feed_forward_length",
        "expert_chunk_feed_forward_length", "expert_weights_norm", "moe_every_n_layers",
        "moe_latent_size", "leading_dense_block_count", "nextn_predict_layers",
        "attn_logit_softcapping",
        "final_logit_softcapping", "router_logit_softcapping", "attention.max_alibi_bias",
        "attention.clamp_kqv", "attention.temperature_length", "attention.temperature_scale",
        "attention.q_lora_rank", "attention.kv_lora_rank", "attention.shared_kv_layers",
        "attention.sliding_window_pattern", "rope.scaling.alpha",
        "rope.scaling.yarn_log_multiplier", "decoder_block_count", "rescale_every_n_layers",
        "embedding_length_per_layer_input", "n_deepstack_layers", "full_attention_interval",
        "activation_sparsity_scale", "altup.active_idx", "altup.num_inputs", "token_shift_count",
        "time_mix_extra_dim", "time_decay_extra_dim", "attention.decay_lora_rank",
        "attention.iclr_lora_rank", "attention.value_residual_mix_lora_rank",
        "attention.gate_lora_rank", "attention.relative_buckets_count",
        "attention.indexer.head_count", "attention.indexer.key_length", "attention.indexer.top_k",
        "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank",
        "ssm.group_count", "ssm.dt_b_c_rms", "kda.head_dim", "wkv.head_size", "shortconv.l_cache",
        "posnet.embedding_length", "posnet.block_count", "convnext.embedding_length",
        "convnext.block_count", "features_length",
      ].map { ($0, [zero, false]) }
      + [
        "logit_scale", "residual_scale", "embedding_scale", "attention.output_scale",
        "expert_weights_scale", "expert_gating_func", "interleave_moe_layer_step",
        "rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor",
      ].map { ($0, [zero, 1]) }
      + ["use_parallel_residual", "swin_norm"].map { ($0, [false]) }
      + [
        "rope.dimension_sections", "rope.freq_base_swa", "rope.dimension_count_swa",
        "attention.key_length_mla", "attention.value_length_mla", "attention.key_length_swa",
        "attention.value_length_swa", "rope.scaling.yarn_ext_factor", "embedding_length_out",
        "swiglu_clamp_exp", "swiglu_clamp_shexp",
      ].map { ($0, []) }
      + [("attention.causal", [true]), ("tensor_data_layout", ["Meta AI original pth"])]
    func named(_ keys: [String]) -> Set<String> { Set(keys.map { own + $0 }) }
    return KeyTable(
      harmless: [
        "how long texts were": named([
          "rope.scaling.original_context_length", "rope.scaling.finetuned",
          "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow",
        ]),
        "what embedding servers make of the last layer": named([
          "pooling_type", "classifier.output_labels",
        ]),
        "for models with other norms": named([
          "attention.layer_norm_epsilon", "attention.group_norm_epsilon",
          "attention.group_norm_groups",
        ]),
        "for models of two parts": named(["decoder_start_token_id"]),
      ],
      decisive: Dictionary(uniqueKeysWithValues: neutral.map { (own + $0.0, $0.1) }))
  }
}

extension GGUFValue {
  /// The value as JSON would say it.
  fileprivate var json: JSONValue {
    switch self {
    case .unsigned(let value): .number("\(value)")
    case .signed(let value): .number("\(value)")
    case .float(let value): .number("\(value)")
    case .double(let value): .number("\(value)")
    case .bool(let value): .bool(value)
    case .string(let text): .string(text)
    case .array(let values): .array(values.prefix(64).map(\.json))
    }
  }
}
