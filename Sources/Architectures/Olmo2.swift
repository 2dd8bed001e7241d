public import TensorTypes

/// OLMo 2: norms behind each part alone, and norms of all channels of q and of k.
///
/// Source: `transformers` `Olmo2Config` and `Olmo2ForCausalLM`.
public enum Olmo2: Architecture {
  public static let modelType = "olmo2"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "OLMo 2 1B to 32B",
    special: "norms behind each part alone, norms of all of q and of k")
  public static let names = NameTable(
    HuggingFaceNames.rows(without: [.mixerNorm, .ffnNorm]) + HuggingFaceNames.queryKeyNorms + [
      .init("model.layers.{layer}.post_attention_layernorm.weight", .mixerPostNorm),
      .init("model.layers.{layer}.post_feedforward_layernorm.weight", .ffnPostNorm),
    ])

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(modelType: modelType, defaults: .init(normEpsilon: 1e-5))
    model.biases = try config.biases()
    model.normPlacement = .after
    model.queryKeyNorm = .whole
    try config.expectAllLayers(nil, depth: model.layers.count)
    return model
  }
}
