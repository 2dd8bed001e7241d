import Mixers
import StrictJSON
public import TensorTypes

/// Gemma 2: norms before and behind each part with weight 1 + w, GELU, a scaled embedding, soft caps of
/// scores and logits, a sliding window in every other layer.
///
/// Source: `transformers` `Gemma2Config` and `Gemma2ForCausalLM`.
public enum Gemma2: Architecture {
  public static let modelType = "gemma2"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Gemma 2 2B to 27B",
    special: "norms behind each part, 1 + w, GELU, soft caps, every other layer a window")
  public static let names = NameTable(rows)

  /// The names that Gemma 3 has too.
  static let rows: [NameTable.Row] =
    HuggingFaceNames.rows(without: [.ffnNorm]) + [
      .init("model.layers.{layer}.post_attention_layernorm.weight", .mixerPostNorm),
      .init("model.layers.{layer}.pre_feedforward_layernorm.weight", .ffnNorm),
      .init("model.layers.{layer}.post_feedforward_layernorm.weight", .ffnPostNorm),
    ]

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.gemma(modelType: modelType, positions: 8192)
    model.softCaps.scores = try config.softCap("attn_logit_softcapping", default: 50)
    model.softCaps.logits = try config.softCap("final_logit_softcapping", default: 30)
    let types = try config.layerTypes(depth: model.layers.count)
    try config.slide(
      &model, types ?? model.layers.indices.map { $0 % 2 == 0 }, window: config.windowSize())
    return model
  }
}

extension Configuration {
  /// What Gemma 2 and Gemma 3 have in common.
  ///
  /// - Parameter rotary: nil where the architecture reads it itself.
  func gemma(
    modelType: String, positions: Int, rotary: RotaryForm? = RotaryForm(),
    sizes: [String: Int] = [:]
  ) throws(ConfigurationError) -> ModelDescription {
    // The classes read hidden_activation alone.
    _ = value("hidden_act")
    var model = try transformer(
      modelType: modelType,
      defaults: .init(
        headDim: 256, keyValueHeads: 4, positions: positions, activationKey: "hidden_activation",
        activations: [.geluTanh, .gelu, .silu], rotary: rotary, sizes: sizes,
        tiesEmbeddings: true))
    model.biases = try biases()
    model.normPlacement = .both
    model.normsAddOne = true
    // A float32 number in the classes.
    model.multipliers.embedding = Double(Float(Double(model.hiddenSize).squareRoot()))
    let scalar = try positive("query_pre_attn_scalar", default: 256)
    if scalar != Double(model.headDim) { model.multipliers.scores = 1 / scalar.squareRoot() }
    return model
  }

  /// A soft cap: `fallback` where `key` is absent, none where it is null.
  fileprivate func softCap(
    _ key: String, default fallback: Double
  ) throws(ConfigurationError) -> Double? {
    object[key] == nil ? fallback : try optionalPositive(key)
  }
}
