public import TensorTypes

/// Qwen2 and Qwen2.5: biases on q, k and v; the upper layers may use a sliding window.
///
/// Source: `transformers` `Qwen2Config`.
public enum Qwen2: Architecture {
  public static let modelType = "qwen2"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Qwen2, Qwen2.5",
    special: "biases on q, k and v, optional windows")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(keyValueHeads: 32, positions: 32_768))
    model.biases = .init(queryKeyValue: true)
    model.layers = try config.qwenMixers(depth: model.layers.count)
    return model
  }
}
