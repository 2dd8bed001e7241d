import Mixers
import StrictJSON

/// What an architecture takes absent keys to mean, where that is not the same for all.
///
/// Source: the defaults of the configuration classes of `transformers`.
struct TransformerDefaults {
  /// Channels of a head; nil for hidden size / heads.
  var headDim: Int?
  /// Key/value heads; nil for as many as heads. An explicit `null` always means these.
  var keyValueHeads: Int?
  /// `max_position_embeddings`.
  var positions = 2048
  /// What the epsilon of norms is called.
  var normKey = "rms_norm_eps"
  /// What it is where it is absent.
  var normEpsilon = 1e-6
  /// What the activation is called.
  var activationKey = "hidden_act"
  /// The activations that are read; the first one is that of configurations without the key.
  var activations: [Activation] = [.silu]
  /// What the keys of the rotary embedding mean; nil for classes that read it themselves.
  var rotary: RotaryForm? = RotaryForm()
  /// Sizes that need not be stated, by their keys.
  var sizes: [String: Int] = [:]
  /// Whether an absent `tie_word_embeddings` means true.
  var tiesEmbeddings = false
}

/// The keys that Llama-like configurations share.
extension Configuration {
  /// The description of a SwiGLU Transformer with grouped-query attention, full attention in
  /// every layer; architectures change what differs.
  func transformer(
    modelType: String, defaults: TransformerDefaults = .init()
  ) throws(ConfigurationError) -> ModelDescription {
    func size(_ key: String) throws(ConfigurationError) -> Int {
      guard let standard = defaults.sizes[key], object[key] == nil else {
        return try self.size(key)
      }
      record.ask(key)
      return standard
    }
    let hidden = try size("hidden_size")
    let heads = try size("num_attention_heads")
    let depth = try size("num_hidden_layers")
    guard depth <= Configuration.mostLayers else {
      throw .outOfRange(
        key: name("num_hidden_layers"), value: "\(depth)",
        expected: "1 to \(Configuration.mostLayers)", file: file)
    }
    let standard = object["num_key_value_heads"] == nil ? defaults.keyValueHeads : nil
    let keyValueHeads = try optionalSize("num_key_value_heads") ?? standard ?? heads
    guard heads % keyValueHeads == 0 else {
      throw .inconsistent(
        "\(name("num_key_value_heads")) (\(keyValueHeads)) does not divide "
          + "\(name("num_attention_heads")) (\(heads))", file: file)
    }
    var headDim = try optionalSize("head_dim") ?? defaults.headDim
    if headDim == nil {
      guard hidden % heads == 0 else {
        throw .inconsistent(
          "\(name("num_attention_heads")) (\(heads)) does not divide \(name("hidden_size")) "
            + "(\(hidden)) and \(name("head_dim")) is absent", file: file)
      }
      headDim = hidden / heads
    }
    guard let headDim, headDim % 2 == 0 else {
      throw .inconsistent("\(name("head_dim")) must be even for rotary embeddings", file: file)
    }
    let activation = try activation(
      defaults.activationKey, known: defaults.activations)
    let positions = try optionalSize("max_position_embeddings") ?? defaults.positions
    var model = ModelDescription(
      modelType: modelType, vocabularySize: try size("vocab_size"), hiddenSize: hidden,
      feedForwardSize: try size("intermediate_size"), heads: heads, keyValueHeads: keyValueHeads,
      headDim: headDim,
      normEpsilon: try positive(defaults.normKey, default: defaults.normEpsilon),
      biases: .init(), queryKeyNorm: .none,
      tiesEmbeddings: try bool("tie_word_embeddings", default: defaults.tiesEmbeddings),
      rotary: try defaults.rotary.map { (form) throws(ConfigurationError) in
        try rotary(headDim: headDim, positions: positions, form: form)
      } ?? RotaryParameters(theta: RotaryForm().theta),
      maximumPositions: positions,
      layers: Array(repeating: LayerDescription(mixer: .full), count: depth),
      specialTokens: .init(
        beginning: try tokens("bos_token_id").first, end: try tokens("eos_token_id"),
        padding: try tokens("pad_token_id").first))
    model.activation = activation
    return model
  }

  /// The activation that `key` names, one of `known`; the first of these where it is absent.
  private func activation(
    _ key: String, known: [Activation]
  ) throws(ConfigurationError) -> Activation {
    guard value(key) != nil else { return known.first ?? .silu }
    let name = try string(key)
    guard let found = Activation(configured: name), known.contains(found) else {
      throw .unsupported(
        key: key, value: name,
        reason: known == [.silu]
          ? "only SiLU feed-forward layers"
          : "known here: \(known.map(\.configured).joined(separator: ", "))",
        file: file)
    }
    return found
  }

  /// `sliding_window` of classes where an absent one means 4096, and `null` none.
  func windowSize() throws(ConfigurationError) -> Int? {
    guard object["sliding_window"] != nil else { return 4096 }
    return try optionalSize("sliding_window")
  }

  /// Qwen's optional windows: `layer_types` where it is given, else every layer from
  /// `max_window_layers` on, and only when `use_sliding_window` is set.
  ///
  /// - Parameter firstSliding: what an absent `max_window_layers` means.
  func qwenMixers(
    depth: Int, firstSliding: Int = 28
  ) throws(ConfigurationError) -> [LayerDescription] {
    let isUsed = try bool("use_sliding_window", default: false)
    let stated = try windowSize()
    let window = isUsed ? stated : nil
    let first = try count(
      "max_window_layers", in: 0...Configuration.largestDimension, default: firstSliding)
    let sliding = window.map { LayerDescription(mixer: .window(.init(size: $0))) }
    let full = LayerDescription(mixer: .full)
    guard let types = try layerTypes(depth: depth) else {
      return (0..<depth).map { $0 >= first ? sliding ?? full : full }
    }
    return try types.map { (isSliding) throws(ConfigurationError) in
      guard isSliding else { return full }
      guard let sliding else {
        throw .inconsistent(
          "layer_types has sliding_attention, but there is no window: use_sliding_window is not "
            + "true, or sliding_window is null", file: file)
      }
      return sliding
    }
  }

  /// Gives the layers of `model` that slide a window, and both kinds their rotary embeddings.
  ///
  /// - Parameters:
  ///   - slides: whether each layer does.
  ///   - rotary: those of layers with full attention and of the others; nil for the model's in all.
  func slide(
    _ model: inout ModelDescription, _ slides: [Bool], window: Int?,
    rotary: (full: RotaryParameters, sliding: RotaryParameters)? = nil
  ) throws(ConfigurationError) {
    if let rotary { model.rotary = rotary.full }
    for (layer, isSliding) in slides.enumerated() where isSliding {
      guard let window else { throw .missingKey("sliding_window", file: file) }
      model.layers[layer].mixer = .window(.init(size: window))
      if let rotary, rotary.sliding != rotary.full {
        model.layers[layer].rotary = .own(rotary.sliding)
      }
    }
  }

  /// Gives every layer of `model` the same window, if there is one, and refuses what would give some
  /// layers another attention.
  func slideAll(_ model: inout ModelDescription, window: Int?) throws(ConfigurationError) {
    try expectAllLayers(window, depth: model.layers.count)
    if let window { try slide(&model, model.layers.map { _ in true }, window: window) }
  }

  /// The biases that `attention_bias` gives all projections of attention, and `mlp_bias` those of classes
  /// that have it.
  func biases(
    ofFeedForward hasFeedForward: Bool = false
  ) throws(ConfigurationError) -> ModelDescription.Biases {
    let attention = try bool("attention_bias", default: false)
    return .init(
      queryKeyValue: attention, output: attention,
      feedForward: hasFeedForward ? try bool("mlp_bias", default: false) : false)
  }

  /// Whether each layer of `layer_types` slides; nil when the key is absent.
  func layerTypes(depth: Int) throws(ConfigurationError) -> [Bool]? {
    guard let types = try strings("layer_types") else { return nil }
    guard types.count == depth else {
      throw .inconsistent(
        "layer_types has \(types.count) entries for \(depth) layers (num_hidden_layers)", file: file
      )
    }
    return try types.map { (type) throws(ConfigurationError) in
      switch type {
      // The second is how early versions call it.
      case "full_attention", "attention": return false
      case "sliding_attention": return true
      default:
        throw .unsupported(
          key: "layer_types", value: type, reason: "known: full_attention, sliding_attention",
          file: file)
      }
    }
  }

  /// Refuses what would give some layers another attention than `window`, in architectures whose layers
  /// are all alike; libraries disagree on whether they read these keys.
  func expectAllLayers(_ window: Int?, depth: Int) throws(ConfigurationError) {
    let architecture = (try? string("model_type")) ?? "this model"
    let types = try layerTypes(depth: depth) ?? []
    guard types.allSatisfy({ $0 == (window != nil) }) else {
      throw .unsupported(
        key: "layer_types", value: types.contains(true) ? "sliding_attention" : "full_attention",
        reason: "\(architecture) has the same attention in every layer", file: file)
    }
    let isUsed = try bool("use_sliding_window", default: true)
    let first = try count("max_window_layers", in: 0...Configuration.largestDimension, default: 0)
    if window != nil {
      guard isUsed else {
        throw .unsupported(
          key: "use_sliding_window", value: "false",
          reason: "\(architecture) uses its sliding_window; set that to null if there is none",
          file: file)
      }
      guard first == 0 else {
        throw .unsupported(
          key: "max_window_layers", value: "\(first)",
          reason: "\(architecture) has its window in every layer", file: file)
      }
    } else if let stated = try optionalSize("sliding_window"), isUsed {
      throw .unsupported(
        key: "sliding_window", value: "\(stated)",
        reason: "\(architecture) has full attention; set it to null if the model was made without "
          + "a window, or model_type to mistral if with one", file: file)
    }
  }
}

extension Activation {
  /// What configurations call it.
  var configured: String {
    switch self {
    case .silu: "swish"
    case .gelu: "gelu"
    case .geluTanh: "gelu_pytorch_tanh"
    }
  }

  /// The activation that a configuration calls `name`; nil for one that is not known.
  init?(configured name: String) {
    switch name {
    case "silu", "swish": self = .silu
    case "gelu": self = .gelu
    case "gelu_pytorch_tanh": self = .geluTanh
    default: return nil
    }
  }
}
