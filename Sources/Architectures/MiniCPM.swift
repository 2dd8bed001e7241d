public import TensorTypes

/// MiniCPM 1, 2 and 4 without sparse attention: Llama with factors of the embedding, of what layers add
/// and of logits.
///
/// Source: the modelling code beside its checkpoints; `transformers` has no class of its own for it, and
/// Granite's computes the same. Its factors have no usual value: absent ones are errors.
public enum MiniCPM: Architecture {
  public static let modelType = "minicpm"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "MiniCPM 1B and 2B",
    special: "factors as in Granite, under other names")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(rotary: .init(types: ["default", "longrope"]), tiesEmbeddings: true))
    model.biases = try config.biases()
    model.multipliers.embedding = try config.requiredPositive("scale_emb")
    model.multipliers.residual =
      try config.requiredPositive("scale_depth") / Double(model.layers.count).squareRoot()
    model.multipliers.logits =
      try config.requiredPositive("dim_model_base") / Double(model.hiddenSize)
    try config.expectAllLayers(nil, depth: model.layers.count)
    return model
  }
}
