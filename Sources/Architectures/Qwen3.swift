public import TensorTypes

/// Qwen3 (dense): per-head norms on q and k, explicit head_dim.
///
/// Source: `transformers` `Qwen3Config`, whose head_dim defaults to 128.
public enum Qwen3: Architecture {
  public static let modelType = "qwen3"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Qwen3 0.6B to 32B",
    special: "norms of q and k per head")
  public static let names = NameTable(HuggingFaceNames.rows + HuggingFaceNames.queryKeyNorms)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(headDim: 128, keyValueHeads: 32, positions: 32_768))
    model.biases = try config.biases()
    model.queryKeyNorm = .perHead
    model.layers = try config.qwenMixers(depth: model.layers.count)
    return model
  }
}
