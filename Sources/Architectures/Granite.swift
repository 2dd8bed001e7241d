public import TensorTypes

/// Granite 3 (dense): Llama with factors of the embedding, of what layers add, of scores and of logits.
///
/// Source: `transformers` `GraniteConfig` and `GraniteForCausalLM`, where an absent
/// `attention_multiplier` means 1, not d^-1/2, and logits are divided by `logits_scaling`.
public enum Granite: Architecture {
  public static let modelType = "granite"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Granite 3, dense; Granite 4 without Mamba",
    special: "factors of embedding, residuals, scores and logits")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(modelType: modelType)
    model.biases = try config.biases(ofFeedForward: true)
    model.multipliers.embedding = try config.positive("embedding_multiplier", default: 1)
    model.multipliers.residual = try config.positive("residual_multiplier", default: 1)
    model.multipliers.scores = try config.positive("attention_multiplier", default: 1)
    model.multipliers.logits = 1 / (try config.positive("logits_scaling", default: 1))
    try config.expectAllLayers(nil, depth: model.layers.count)
    return model
  }
}
