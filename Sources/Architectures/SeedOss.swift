public import TensorTypes

/// Seed-OSS: Llama with biases on q, k and v, and heads that are not a division of the hidden size.
///
/// Source: `transformers` `SeedOssConfig`.
public enum SeedOss: Architecture {
  public static let modelType = "seed_oss"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Seed-OSS 36B",
    special: "biases on q, k and v, heads of their own size")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(headDim: 128, keyValueHeads: 8, positions: 524_288))
    model.biases = .init(
      queryKeyValue: try config.bool("attention_bias", default: true),
      output: try config.bool("attention_out_bias", default: false),
      feedForward: try config.bool("mlp_bias", default: false))
    try config.expectAllLayers(nil, depth: model.layers.count)
    return model
  }
}
