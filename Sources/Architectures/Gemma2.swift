import Mixers
import StrictJSON
public import TensorTypes

/// Gemma 2: norms before and behind each part with weight 1 + w, GELU, a scaled embedding, soft caps of
/// scores and logits, a sliding window in every other layer.
///
/// Source: `transformers` `Gemma2Config` and `Gemma2ForCausalLM`.
public enum Gemma2: Architecture {
  public static let modelType = "gemma2"
  public static let isSource = true
  public static let names = NameTable(
    HuggingFaceNames.rows(without: [.ffnNorm]) + [
      .init("model.layers.{layer}.post_attention_layernorm.weight", .mixerPostNorm),
      .init("model.layers.{layer}.pre_feedforward_layernorm.weight", .ffnNorm),
      .init("model.layers.{layer}.post_feedforward_layernorm.weight", .ffnPostNorm),
    ])

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    // The class reads hidden_activation alone.
    _ = config.value("hidden_act")
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        headDim: 256, keyValueHeads: 4, positions: 8192, activationKey: "hidden_activation",
        activations: [.geluTanh, .gelu, .silu], tiesEmbeddings: true))
    let bias = try config.bool("attention_bias", default: false)
    model.biases = .init(queryKeyValue: bias, output: bias)
    model.normPlacement = .both
    model.normsAddOne = true
    // A float32 number in the class.
    model.multipliers.embedding = Double(Float(Double(model.hiddenSize).squareRoot()))
    let scalar = try config.positive("query_pre_attn_scalar", default: 256)
    if scalar != Double(model.headDim) { model.multipliers.scores = 1 / scalar.squareRoot() }
    model.softCaps.scores = try config.softCap("attn_logit_softcapping", default: 50)
    model.softCaps.logits = try config.softCap("final_logit_softcapping", default: 30)
    let window = try config.windowSize()
    let types = try config.layerTypes(depth: model.layers.count)
    model.layers = try model.layers.enumerated().map {
      (layer, described) throws(ConfigurationError) in
      guard types?[layer] ?? (layer % 2 == 0) else { return described }
      guard let window else { throw .missingKey("sliding_window", file: config.file) }
      return described.with(.window(.init(size: window)))
    }
    return model
  }
}

extension Configuration {
  /// A soft cap: `fallback` where `key` is absent, none where it is null.
  fileprivate func softCap(
    _ key: String, default fallback: Double
  ) throws(ConfigurationError) -> Double? {
    object[key] == nil ? fallback : try optionalPositive(key)
  }
}
