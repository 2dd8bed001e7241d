import Mixers
public import StrictJSON
public import TensorTypes

/// Our own layout, for whatever the public 7B layout cannot express; specified in
/// `formats/spikingbrain/README.md`.
public enum SpikingBrainLayout: ConvertedLayout {
  public static let modelType = "spikingbrain"
  public static let names = NameTable(SpikingBrainNames.rows)

  public static let holdsMergedGates = true

  /// How its objects of rotary embeddings are read.
  static let ownRotary = RotaryForm(share: .channels, types: RotaryForm.own)

  /// The newest version of the layout. Models are written as the earliest that holds them, which programs
  /// of that time read: 4 for YaRN and LongRoPE and for experts with normalised weights, 3 for codes of 4
  /// bits, 2 for decoders that are not like Llama.
  public static let version = 4

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    if let version = config.value("layout_version")?.int, version > Self.version {
      throw .unsupported(
        key: "layout_version", value: "\(version)",
        reason: "written by a newer spikingbrain; this one reads up to \(Self.version)",
        file: config.file)
    }
    // Names the code that an export brings, which computes what this program does.
    _ = config.value(GLASwa.autoMapKey)
    _ = config.value(GLASwa.mergedGatesKey)
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        normKey: "norm_eps", activations: Activation.allCases, rotary: ownRotary))
    model.biases = .init(
      queryKeyValue: try config.bool("qkv_bias", default: true),
      output: try config.bool("o_proj_bias", default: false),
      feedForward: try config.bool("mlp_bias", default: false))
    let depth = model.layers.count
    for (key, list) in [
      ("mixer", try config.strings("mixer")), ("ffn", try config.strings("ffn")),
    ] {
      guard let list else { throw .missingKey(key, file: config.file) }
      guard list.count == depth else {
        throw .inconsistent(
          "\"\(key)\" has \(list.count) entries for \(depth) layers", file: config.file)
      }
    }
    // Only some mixers and experts read them; modelling code writes them for all.
    for key in Mixer.sizeKeys + ["sliding_window", "window_rule", "norm_topk_prob"] {
      _ = config.value(key)
    }
    let feedForwards = try config.feedForwards(size: model.feedForwardSize)
    let mixers = try (config.strings("mixer") ?? []).map(config.mixer)
    model.layers = zip(mixers, feedForwards).map { LayerDescription(mixer: $0, feedForward: $1) }
    try config.readDecoderFeatures(&model)
    model.sinkCount =
      try config.count("num_sink_tokens", in: 0...Configuration.mostSinks, default: 0)
    model.branchNormEpsilon = try config.positive(
      "branch_norm_eps", default: model.normEpsilon)
    model.quantization = try config.nested("quantization").map {
      (nested) throws(ConfigurationError) in try nested.quantization()
    }
    if let quantization = model.quantization, let reason = model.obstacle(to: quantization) {
      throw .unsupported(
        key: "quantization.weights", value: quantization.codes.rawValue, reason: reason,
        file: config.file)
    }
    model.spiking = try config.nested("spiking").map { (nested) throws(ConfigurationError) in
      try SpikingSettings(nested, of: model)
    }
    return model
  }

  public static func configuration(of model: ModelDescription) -> JSONObject {
    let features = decoderFeatures(of: model)
    var config = JSONObject([
      ("architectures", ["SpikingBrainForCausalLM"]),
      ("model_type", .string(modelType)),
      (
        "layout_version",
        .int(
          model.needsVersion4
            ? 4 : model.quantization?.codes == .int4 ? 3 : features.members.isEmpty ? 1 : 2)
      ),
    ])
    for (key, value) in SpikingBrainNames.commonConfiguration(of: model).members {
      config[key] = value
    }
    config["head_dim"] = .int(model.headDim)
    config["mixer"] = .array(model.layers.map { .string($0.mixer.kind) })
    config["ffn"] = .array(model.layers.map { .string($0.feedForward.kind) })
    config["qk_norm"] = .bool(model.hasQueryKeyNorm)
    config["qkv_bias"] = .bool(model.biases.queryKeyValue)
    config["o_proj_bias"] = .bool(model.biases.output)
    config["mlp_bias"] = .bool(model.biases.feedForward)
    for (key, size) in model.layers.flatMap(\.mixer.form.sizes) { config[key] = .int(size) }
    config["rope_scaling"] = model.rotary.scalingObject
    if let experts = model.layers.lazy.compactMap(\.feedForward.experts).first {
      config["num_experts"] = .int(experts.routed)
      config["num_experts_per_tok"] = .int(experts.chosen)
      config["num_shared_experts"] = .int(experts.shared)
      config["moe_intermediate_size"] = .int(experts.size)
      config["norm_topk_prob"] = .bool(experts.weighting == .normalized)
      if experts.sharedSize != experts.shared * experts.size {
        config["shared_expert_intermediate_size"] = .int(experts.sharedSize)
      }
      if experts.weighting == .one {
        config["routing_weights"] = .string(experts.weighting.rawValue)
      }
    }
    if model.sinkCount > 0 { config["num_sink_tokens"] = .int(model.sinkCount) }
    if model.layers.contains(where: { $0.mixer.form.usesBranchNormEpsilon }) {
      config["branch_norm_eps"] = .double(model.branchNormEpsilon)
    }
    for (key, value) in features.members { config[key] = value }
    config["quantization"] = model.quantization?.configuration
    if let spiking = model.spiking { config["spiking"] = spiking.configuration }
    return config
  }
}

extension ModelDescription {
  /// Whether versions of our own layout before 4 cannot hold it.
  fileprivate var needsVersion4: Bool {
    layers.contains { $0.feedForward.experts?.weighting == .normalized }
      || layers.indices.contains { rotary(ofLayer: $0)?.isNew ?? false } || rotary.isNew
  }
}
