public import TensorTypes

/// Llama 2 and 3, SmolLM2, TinyLlama: grouped-query attention, optional biases, rotary scaling.
///
/// Source: `transformers` `LlamaConfig`.
public enum Llama: Architecture {
  public static let modelType = "llama"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Llama 2, 3, 3.1 and 3.2, TinyLlama, SmolLM2, Yi",
    special: "what all are compared with")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(modelType: modelType)
    model.biases = try config.biases(ofFeedForward: true)
    try config.expectAllLayers(nil, depth: model.layers.count)
    return model
  }
}
