import StrictJSON

extension Configuration {
  /// What the keys that nobody asked for mean, and what was noted on the way: sentences for the user.
  ///
  /// To be called when all of the model is described. Throws when a key would change what the model
  /// computes.
  public func restNotes() throws(ConfigurationError) -> [String] {
    try restNotes(Configuration.furtherKeys)
  }

  /// The same for a file whose other keys are those of `table`.
  package func restNotes(_ table: KeyTable) throws(ConfigurationError) -> [String] {
    let rest = object.members.filter { !record.wasAsked($0.key) }
    return record.notes + (try table.notes(on: rest, file: file))
  }

  /// Keys of config.json files beyond those that describe a model of ours.
  ///
  /// Source: the configuration classes of `transformers` 4 and 5, and those of models that are built
  /// like Llama with something added.
  static let furtherKeys = KeyTable(
    harmless: [
      "where files come from, and for which programs": [
        "_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "architectures",
        "unsloth_version", "unsloth_fixed", "transformers.js_config", "is_llama_config",
        "model_name", "_attn_implementation_autoset", "_flash_attn_2_enabled",
      ],
      "stored types are used, computed in float32": ["dtype", "torch_dtype", "use_bfloat16"],
      "training": [
        "attention_dropout", "hidden_dropout", "hidden_dropout_prob", "attn_pdrop", "resid_pdrop",
        "embd_pdrop", "embd_dropout", "ffn_dropout", "resid_dropout", "initializer_range",
        "gradient_checkpointing", "use_cache", "fuse_cross_entropy", "fuse_norm", "fuse_swiglu",
        "output_router_logits", "router_aux_loss_coef", "tf_legacy_loss", "residual_dropout",
      ],
      "slices of the same sums, and implementations of the same function": [
        "pretraining_tp", "chunk_size_feed_forward", "torchscript", "attn_implementation",
        "_attn_implementation", "_attn_implementation_internal", "experts_implementation",
        "_experts_implementation_internal", "use_flash_attn", "use_flash_attention", "attn_mode",
        "conv_size", "cache_implementation",
      ],
      "what a call returns": [
        "output_attentions", "output_hidden_states", "return_dict", "use_return_dict",
        "tie_last_hidden_states",
      ],
      "heads for other tasks, whose tensors would be refused": [
        "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
        "task_specific_params", "classifier_dropout",
      ],
      "the tensors tell: a bias or layer that should not be there is refused": [
        "attention_bias", "mlp_bias", "qkv_bias", "o_proj_bias", "num_nextn_predict_layers",
        "num_mtp_layers",
      ],
      "no encoder, or a decoder anyway": ["is_decoder", "tie_encoder_decoder"],
      "tokenizing": [
        "tokenizer_class", "prefix", "sep_token_id", "cls_token_id", "mask_token_id",
        "unk_token_id", "decoder_start_token_id", "model_max_length", "max_sequence_length",
        "seq_length", "pad_token", "bos_token", "eos_token", "unk_token",
      ],
      "choosing the next token": [
        "assistant_confidence_threshold", "assistant_lookbehind", "bad_words_ids",
        "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
        "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "epsilon_cutoff",
        "eta_cutoff", "exponential_decay_length_penalty", "forced_bos_token_id",
        "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens", "min_length",
        "no_repeat_ngram_size", "num_assistant_tokens", "num_assistant_tokens_schedule",
        "num_beam_groups", "num_beams", "num_return_sequences", "output_scores",
        "remove_invalid_values", "repetition_penalty", "return_dict_in_generate",
        "suppress_tokens", "target_lookbehind", "temperature", "top_k", "top_p", "typical_p",
      ],
    ],
    decisive: Dictionary(
      uniqueKeysWithValues: [
        (decisiveUnlessFalse, [false]), (decisiveUnlessTrue, [true]),
        (decisiveUnlessZero, [0, false]), (decisiveUnlessOne, [1]),
        (decisiveUnlessEmpty, [[], .object(JSONObject())]), (decisive, []),
      ].flatMap { (keys: [String], neutral: [JSONValue]) in keys.map { ($0, neutral) } }
        + [
          ("position_embedding_type", ["rope", "rotary"]),
          ("hidden_activation", ["silu", "swish"]),
          ("norm_type", ["rmsnorm", "rms_norm", "RMSNorm"]),
        ]),
    told: [
      GLASwa.autoMapKey:
        "names code of the checkpoint's own, which is not run: the model is read as what its "
        + "model_type says."
    ])

  private static let decisiveUnlessFalse = [
    "is_encoder_decoder", "add_cross_attention", "use_bidirectional_attention", "bidirectional",
    "qk_norm", "use_qk_norm", "qk_layernorm", "use_qk_layernorm", "qk_layernorms", "alibi",
    "use_alibi", "parallel_attn", "parallel_residual", "use_parallel_residual",
    "rope_interleaved", "rope_traditional", "interleaved_rope", "attn_temperature_tuning",
    "use_mrope", "use_post_norm", "post_norm", "use_mup", "use_dynamic_ntk", "use_logn_attn",
    "zero_centered_gamma", "layernorm_zero_centered", "rmsnorm_zero_centered", "use_short_conv",
    "lm_head_bias", "use_bias", "bias", "attn_output_gate", "use_gated_attention",
    "attention_output_gate", "scale_attn_by_inverse_layer_idx", "scale_embedding",
    "normalize_embeddings", "apply_residual_connection_post_layernorm", "use_attention_sinks",
    "enable_moe_block", "enable_attention_sinks",
  ]

  private static let decisiveUnlessTrue = [
    "is_causal", "causal", "use_rope", "use_rotary_embeddings", "scale_attn_weights",
    "elementwise_affine",
  ]

  private static let decisiveUnlessZero = [
    "attn_logit_softcapping", "attn_logit_softcap", "attention_logit_softcapping",
    "final_logit_softcapping", "final_logit_softcap", "router_logit_softcapping", "num_experts",
    "num_local_experts", "num_routed_experts", "n_routed_experts", "n_shared_experts",
    "num_shared_experts", "num_experts_per_tok", "num_experts_per_token", "moe_num_experts",
    "moe_intermediate_size", "moe_k", "clip_qkv", "attention_chunk_size", "kv_lora_rank",
    "q_lora_rank", "num_sink_tokens", "attention_sinks", "num_attention_sinks",
    "cross_attention_hidden_size", "num_kv_shared_layers", "hidden_size_per_layer_input",
    "moe_layer_freq", "first_k_dense_replace",
  ]

  private static let decisiveUnlessOne = [
    "logit_scale", "logits_scaling", "logits_scale", "embedding_multiplier", "embedding_scale",
    "emb_scale", "residual_multiplier", "residual_scale", "scale_emb", "scale_depth",
    "lm_head_multiplier", "key_multiplier", "attention_in_multiplier",
    "attention_out_multiplier", "rotary_pct", "rotary_percent", "rope_ratio", "rope_percent",
    "rope_scaling_factor",
  ]

  private static let decisiveUnlessEmpty = [
    "pruned_heads", "per_layer_config", "mlp_only_layers", "no_rope_layers", "skip_layers",
  ]

  private static let decisive = [
    "attention_multiplier", "query_pre_attn_scalar", "attention_scale", "attn_scale",
    "softmax_scale", "no_rope_layer_interval", "rotary_dim", "rotary_emb_base", "rope_base",
    "rope_local_base_freq", "rope_type", "ntk_alpha", "dim_model_base", "mup_base", "mup_scale",
    "sliding_window_pattern", "mlp_layer_types", "block_configs", "head_dims", "v_head_dim",
    "qk_rope_head_dim", "qk_nope_head_dim", "mrope_section", "compression_config",
    "layers_block_type", "decoder_sparse_step", "attn_layer_indices", "full_attention_interval",
    "linear_attn_config", "quantization", "sparse_config",
  ]
}
