import Mixers
public import TensorTypes

/// Gemma 3, the part that reads text: as Gemma 2 without soft caps of scores, with norms of q and k per
/// head, windows in five layers of six, and rotary embeddings of their own in these.
///
/// Source: `transformers` `Gemma3TextConfig` and `Gemma3ForCausalLM`. Configurations of whole models
/// name few sizes; absent ones are the class's. `attn_logit_softcapping` is refused: the class has the
/// key, and no use for it.
public enum Gemma3: Architecture {
  public static let modelType = "gemma3_text"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Gemma 3 270M and 1B, the text of 4B to 27B",
    special: "as Gemma 2 without caps of scores; norms of q and k, two rotary bases")
  public static let names = NameTable(Gemma2.rows + HuggingFaceNames.queryKeyNorms)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.gemma(
      modelType: modelType, positions: 131_072, rotary: nil,
      sizes: [
        "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216,
        "num_hidden_layers": 26, "num_attention_heads": 8,
      ])
    model.queryKeyNorm = .perHead
    model.softCaps.logits = try config.optionalPositive("final_logit_softcapping")
    // Written beside the list of layers, and not read again.
    _ = config.value("_sliding_window_pattern")
    let period = try config.optionalSize("sliding_window_pattern") ?? 6
    let types = try config.layerTypes(depth: model.layers.count)
    try config.slide(
      &model, types ?? model.layers.indices.map { ($0 + 1) % period != 0 },
      window: config.windowSize(),
      rotary: config.rotaryByKind(
        headDim: model.headDim, positions: model.maximumPositions, form: .init(theta: 1_000_000),
        slidingBase: ("rope_local_base_freq", 10_000)))
    return model
  }

  public static func checkPart(_ config: Configuration) throws(ConfigurationError) {
    let key = "final_logit_softcapping"
    guard let cap = try config.optionalPositive(key) else { return }
    throw .unsupported(
      key: config.name(key), value: "\(cap)",
      reason: "transformers uses it in gemma3_text alone, not in a model of several parts",
      file: config.file)
  }
}
