import StrictJSON

/// The keys that Llama-like configurations share.
extension Configuration {
  /// The description of a SwiGLU Transformer with grouped-query attention, full attention in
  /// every layer; architectures change what differs.
  ///
  /// - Parameter headDimDefault: used when `head_dim` is absent; nil means H / heads.
  func transformer(
    modelType: String, headDimDefault: Int? = nil, normKey: String = "rms_norm_eps"
  ) throws(ConfigurationError) -> ModelDescription {
    let hidden = try size("hidden_size")
    let heads = try size("num_attention_heads")
    let depth = try size("num_hidden_layers")
    guard depth <= Configuration.mostLayers else {
      throw .outOfRange(
        key: "num_hidden_layers", value: "\(depth)", expected: "1 to \(Configuration.mostLayers)",
        file: file)
    }
    let keyValueHeads = try optionalSize("num_key_value_heads") ?? heads
    guard heads % keyValueHeads == 0 else {
      throw .inconsistent(
        "num_key_value_heads (\(keyValueHeads)) does not divide num_attention_heads (\(heads))",
        file: file)
    }
    var headDim = try optionalSize("head_dim") ?? headDimDefault
    if headDim == nil {
      guard hidden % heads == 0 else {
        throw .inconsistent(
          "num_attention_heads (\(heads)) does not divide hidden_size (\(hidden)) and head_dim "
            + "is absent", file: file)
      }
      headDim = hidden / heads
    }
    guard let headDim, headDim % 2 == 0 else {
      throw .inconsistent("head_dim must be even for rotary embeddings", file: file)
    }
    try checkActivation()
    return ModelDescription(
      modelType: modelType, vocabularySize: try size("vocab_size"), hiddenSize: hidden,
      feedForwardSize: try size("intermediate_size"), heads: heads, keyValueHeads: keyValueHeads,
      headDim: headDim, normEpsilon: try positive(normKey, default: 1e-6), biases: .init(),
      hasQueryKeyNorm: false, tiesEmbeddings: try bool("tie_word_embeddings", default: false),
      rotary: try rotary(headDim: headDim),
      maximumPositions: try optionalSize("max_position_embeddings") ?? 2048,
      layers: Array(repeating: LayerDescription(mixer: .full), count: depth),
      specialTokens: .init(
        beginning: try tokens("bos_token_id").first, end: try tokens("eos_token_id"),
        padding: try tokens("pad_token_id").first))
  }

  private func checkActivation() throws(ConfigurationError) {
    guard value("hidden_act") != nil else { return }
    let name = try string("hidden_act")
    guard name == "silu" || name == "swish" else {
      throw .unsupported(
        key: "hidden_act", value: name, reason: "only SiLU feed-forward layers", file: file)
    }
  }

  /// Rotary parameters: transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5
  /// one object `rope_parameters`.
  private func rotary(headDim: Int) throws(ConfigurationError) -> RotaryParameters {
    let modern = try nested("rope_parameters")
    let theta = try (modern ?? self).positive("rope_theta", default: 10_000)
    guard let scaling = modern == nil ? try nested("rope_scaling") : modern else {
      return RotaryParameters(theta: theta)
    }
    return RotaryParameters(theta: theta, scaling: try scaling.rotaryScaling(headDim: headDim))
  }

  private func rotaryScaling(headDim: Int) throws(ConfigurationError) -> RotaryParameters.Scaling {
    let key = value("rope_type") != nil ? "rope_type" : "type"
    let kind = value(key) == nil ? "default" : try string(key)
    if let partial = value("partial_rotary_factor")?.double, partial != 1 {
      throw .unsupported(
        key: "partial_rotary_factor", value: "\(partial)", reason: "every channel must rotate",
        file: file)
    }
    switch kind {
    case "default", "none":
      return .none
    case "linear":
      return .linear(factor: try requiredPositive("factor"))
    case "llama3":
      return .llama3(
        factor: try requiredPositive("factor"), low: try requiredPositive("low_freq_factor"),
        high: try requiredPositive("high_freq_factor"),
        originalPositions: try size("original_max_position_embeddings"))
    case "factors":
      let factors = value("factors")?.array?.compactMap(\.double) ?? []
      guard factors.count == headDim / 2, factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw .outOfRange(
          key: "factors", value: "\(factors.count) numbers",
          expected: "\(headDim / 2) positive numbers", file: file)
      }
      return .divisors(factors.map(Float.init))
    default:
      throw .unsupported(
        key: "rope_scaling", value: kind, reason: "known types: default, linear, llama3",
        file: file)
    }
  }

  private func requiredPositive(_ key: String) throws(ConfigurationError) -> Double {
    guard value(key) != nil else { throw .missingKey(key, file: file) }
    return try positive(key, default: 1)
  }

  /// Qwen's optional windows: `layer_types` where it is given, else every layer from
  /// `max_window_layers` on, and only when `use_sliding_window` is set.
  func qwenMixers(depth: Int) throws(ConfigurationError) -> [LayerDescription] {
    let window =
      try bool("use_sliding_window", default: false) ? try optionalSize("sliding_window") : nil
    guard let window else {
      return Array(repeating: LayerDescription(mixer: .full), count: depth)
    }
    let sliding = LayerDescription(mixer: .window(.init(size: window)))
    let full = LayerDescription(mixer: .full)
    if let types = try strings("layer_types") {
      guard types.count == depth else {
        throw .inconsistent(
          "layer_types has \(types.count) entries for \(depth) layers", file: file)
      }
      return try types.map { (type) throws(ConfigurationError) in
        switch type {
        case "full_attention": full
        case "sliding_attention": sliding
        default:
          throw .unsupported(
            key: "layer_types", value: type, reason: "known: full_attention, sliding_attention",
            file: file)
        }
      }
    }
    let firstSliding = value("max_window_layers")?.int ?? 28
    return (0..<depth).map { $0 >= firstSliding ? sliding : full }
  }
}
