import Mixers
public import TensorTypes

/// Ministral: Mistral whose layers may have a window or none, each by itself.
///
/// Source: `transformers` `MinistralConfig`.
public enum Ministral: Architecture {
  public static let modelType = "ministral"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Ministral 8B",
    special: "windows by `layer_types`")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(keyValueHeads: 8, positions: 131_072))
    let window = try config.windowSize()
    let types = try config.layerTypes(depth: model.layers.count)
    try config.slide(
      &model, types ?? model.layers.map { _ in window != nil }, window: window)
    return model
  }
}
