import Mixers
import StrictJSON

extension HuggingFaceNames {
  /// The classes of `transformers` by `model_type`.
  private static let classes = [
    "llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
    "mistral": "MistralForCausalLM",
  ]

  /// The config.json of `model` as a source architecture, as far as its keys can say it: describe it
  /// again to see whether they do. nil for architectures that none is written for.
  static func configuration(of model: ModelDescription, as modelType: String) -> JSONObject? {
    guard let name = classes[modelType] else { return nil }
    let windows = model.layers.map(\.mixer.window)
    let window = windows.lazy.compactMap(\.self).first?.size
    var config = JSONObject([
      ("architectures", .array([.string(name)])),
      ("model_type", .string(modelType)),
      ("vocab_size", .int(model.vocabularySize)),
      ("hidden_size", .int(model.hiddenSize)),
      ("intermediate_size", .int(model.feedForwardSize)),
      ("num_hidden_layers", .int(model.layers.count)),
      ("num_attention_heads", .int(model.heads)),
      ("num_key_value_heads", .int(model.keyValueHeads)),
      ("head_dim", .int(model.headDim)),
      ("hidden_act", "silu"),
      ("max_position_embeddings", .int(model.maximumPositions)),
      ("rms_norm_eps", .double(model.normEpsilon)),
      ("rope_theta", .double(model.rotary.theta)),
      ("attention_bias", .bool(model.biases.output)),
      ("mlp_bias", .bool(model.biases.feedForward)),
      ("attention_dropout", 0.0),
      ("use_cache", true),
      ("tie_word_embeddings", .bool(model.tiesEmbeddings)),
      ("bos_token_id", model.specialTokens.beginning.map { .int($0) } ?? .null),
      ("eos_token_id", SpikingBrainNames.tokens(model.specialTokens.end)),
      ("pad_token_id", model.specialTokens.padding.map { .int($0) } ?? .null),
      ("sliding_window", window.map { .int($0) } ?? .null),
    ])
    if modelType.hasPrefix("qwen") {
      config["use_sliding_window"] = .bool(window != nil)
      config["max_window_layers"] = .int(windows.firstIndex { $0 != nil } ?? model.layers.count)
      config["layer_types"] = .array(
        windows.map { $0 == nil ? "full_attention" : "sliding_attention" })
    }
    // Explicit factors are a form of ours: no library reads them.
    switch model.rotary.scaling {
    case .divisors, .wavelengths: break
    default: config["rope_scaling"] = model.rotary.scalingObject
    }
    return config
  }
}
