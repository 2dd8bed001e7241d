import Mixers
public import TensorTypes

/// Mistral: no biases, an optional sliding window in every layer.
///
/// Source: `transformers` `MistralConfig`: an absent `sliding_window` means 4096, `null` none.
public enum Mistral: Architecture {
  public static let modelType = "mistral"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Mistral 7B, Mistral Nemo, the text of Mistral Small 3.1",
    special: "an optional window in every layer")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(keyValueHeads: 8, positions: 131_072))
    try config.slideAll(&model, window: config.windowSize())
    return model
  }
}
