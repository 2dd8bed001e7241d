import Mixers
public import TensorTypes

/// Mixtral: Mistral whose feed-forward parts are experts, chosen by a router, with weights of sum 1.
///
/// Source: `transformers` `MixtralConfig` and `MixtralForCausalLM`.
public enum Mixtral: Architecture {
  public static let modelType = "mixtral"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Mixtral 8x7B, 8x22B",
    special: "experts with normalised weights")
  public static let names = NameTable(
    HuggingFaceNames.rows(without: [.ffnGate, .ffnUp, .ffnDown]) + [
      .init("model.layers.{layer}.block_sparse_moe.gate.weight", .router)
    ]
      + HuggingFaceNames.projections(
        "model.layers.{layer}.block_sparse_moe.experts.{expert}.",
        [("w1", .ffnGate), ("w3", .ffnUp), ("w2", .ffnDown)]))

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        keyValueHeads: 8, positions: 131_072, normEpsilon: 1e-5, rotary: .init(theta: 1_000_000)))
    try config.slideAll(&model, window: config.optionalSize("sliding_window"))
    // Noise of the router's inputs in training alone.
    _ = config.value("router_jitter_noise")
    let experts = try config.routedExperts(
      8, chosen: 2, size: model.feedForwardSize, isNormalized: true)
    for layer in model.layers.indices { model.layers[layer].feedForward = .experts(experts) }
    return model
  }
}
