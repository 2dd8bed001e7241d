import Mixers
public import TensorTypes

/// Phi-3, Phi-3.5 and Phi-4: q, k and v in one tensor, gate and up in one, optional partial rotary
/// embeddings and LongRoPE, an optional window in every layer.
///
/// Source: `transformers` `Phi3Config`, which has no other scaling, and `Phi3ForCausalLM`.
public enum Phi3: Architecture {
  public static let modelType = "phi3"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Phi-3, Phi-3.5, Phi-4, Phi-4-mini",
    special: "fused q, k, v and gate, up; partial rotary embeddings")
  /// Source: `added_tokens` of its tokenizer.json.
  public static let spacelessTokens: Set<String>? = ["<unk>", "<s>", "<|endoftext|>"]
  public static let names = NameTable(
    HuggingFaceNames.rows(without: [.query, .key, .value, .ffnGate, .ffnUp])
      + HuggingFaceNames.fused(
        "model.layers.{layer}.self_attn.qkv_proj", [.query, .key, .value])
      + HuggingFaceNames.fused("model.layers.{layer}.mlp.gate_up_proj", [.ffnGate, .ffnUp]))

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        positions: 4096, normEpsilon: 1e-5,
        rotary: .init(
          share: .factor, types: ["default", "longrope"], originalPositions: 4096)))
    try config.slideAll(&model, window: config.optionalSize("sliding_window"))
    return model
  }
}
