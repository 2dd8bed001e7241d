import Mixers
public import TensorTypes

/// Qwen3 with experts, in all layers or in some.
///
/// Source: `transformers` `Qwen3MoeConfig` and `Qwen3MoeForCausalLM`.
public enum Qwen3MoE: Architecture {
  public static let modelType = "qwen3_moe"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Qwen3-30B-A3B, Qwen3-235B-A22B",
    special: "as Qwen3, experts with normalised weights")
  public static let names = NameTable(
    HuggingFaceNames.rows + HuggingFaceNames.queryKeyNorms + HuggingFaceNames.experts)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(keyValueHeads: 4, positions: 32_768))
    model.biases = try config.biases()
    model.queryKeyNorm = .perHead
    let stated = try config.windowSize()
    if try config.bool("use_sliding_window", default: false), let stated {
      try config.slideAll(&model, window: stated)
    } else if let types = try config.layerTypes(depth: model.layers.count), types.contains(true) {
      throw .unsupported(
        key: config.name("layer_types"), value: "sliding_attention",
        reason: "there is no window: use_sliding_window is not true, or sliding_window is null",
        file: config.file)
    }
    // Of no use to the class, which has its window in every layer.
    _ = config.value("max_window_layers")
    let experts = try config.routedExperts(
      128, chosen: 8, size: config.optionalSize("moe_intermediate_size") ?? 768,
      isNormalized: config.bool("norm_topk_prob", default: false))
    let step = try config.optionalSize("decoder_sparse_step") ?? 1
    let dense = Set(try config.integers("mlp_only_layers") ?? [])
    for layer in model.layers.indices
    where !dense.contains(layer) && (layer + 1) % step == 0 {
      model.layers[layer].feedForward = .experts(experts)
    }
    return model
  }
}
