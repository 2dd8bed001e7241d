import Mixers
public import StrictJSON
public import TensorTypes

/// The public SpikingBrain-7B layout: gated linear attention, and sliding windows in the layers
/// that `attn_layers` lists.
///
/// Source: report section 2.1; configuration and tensor names of the public 7B model.
public enum GLASwa: ConvertedLayout {
  public static let modelType = "gla_swa"
  public static let names = NameTable(SpikingBrainNames.rows)
  /// The public code has the two matrices; only its W8ASpike variant has one.
  public static let holdsMergedGates = false

  /// The key of config.json under which `transformers` looks for remote code, and what it is here.
  public static let autoMapKey = "auto_map"
  /// The key by which modelling code is told that decay gates are one matrix; tensors tell it here.
  public static let mergedGatesKey = "merged_gates"
  /// The public code's classes by their roles.
  public static let autoMap: JSONValue = [
    "AutoConfig": "configuration_gla_swa.GLAswaConfig",
    "AutoModelForCausalLM": "modeling_gla_swa.GLAswaForCausalLM",
  ]

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(normKey: "norm_eps"))
    model.biases = .init(queryKeyValue: true)
    // Names the public code, which this layout is.
    _ = config.value(autoMapKey)
    _ = config.value(mergedGatesKey)
    let depth = model.layers.count
    // The public configuration class falls back to the odd layers.
    let attention = try config.integers("attn_layers") ?? Array(stride(from: 1, to: depth, by: 2))
    if let outside = attention.first(where: { !(0..<depth).contains($0) }) {
      throw .outOfRange(
        key: "attn_layers", value: "\(outside)", expected: "layers 0 to \(depth - 1)",
        file: config.file)
    }
    let window = try SpikingBrainNames.window(config)
    let chosen = Set(attention)
    model.layers = (0..<depth).map { layer in
      LayerDescription(
        mixer: chosen.contains(layer)
          ? .window(window) : .gatedLinear(.lowRank(GatedLinear.usualRank)))
    }
    return model
  }

  public static func configuration(of model: ModelDescription) -> JSONObject {
    var config = JSONObject([
      ("architectures", ["GLAswaForCausalLM"]),
      (autoMapKey, autoMap),
      ("model_type", .string(modelType)),
    ])
    for (key, value) in SpikingBrainNames.commonConfiguration(of: model).members {
      config[key] = value
    }
    // The public code has no tied head.
    config["tie_word_embeddings"] = false
    config["attn_layers"] = .ints(
      model.layers.indices.filter { model.layers[$0].mixer.isSoftmax })
    return config
  }
}
