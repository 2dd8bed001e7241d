public import TensorTypes

/// OLMoE: norms of all channels of q and of k, and experts in every layer.
///
/// Source: `transformers` `OlmoeConfig` and `OlmoeForCausalLM`; `clip_qkv` is refused.
public enum OLMoE: Architecture {
  public static let modelType = "olmoe"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "OLMoE 1B-7B",
    special: "norms of all of q and of k, experts")
  public static let names = NameTable(
    HuggingFaceNames.rows(without: [.ffnGate, .ffnUp, .ffnDown]) + HuggingFaceNames.queryKeyNorms
      + HuggingFaceNames.experts)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(positions: 4096, normEpsilon: 1e-5))
    model.biases = try config.biases()
    model.queryKeyNorm = .whole
    try config.expectAllLayers(nil, depth: model.layers.count)
    let experts = try config.routedExperts(
      64, chosen: 8, size: model.feedForwardSize,
      isNormalized: config.bool("norm_topk_prob", default: false))
    for layer in model.layers.indices { model.layers[layer].feedForward = .experts(experts) }
    return model
  }
}
