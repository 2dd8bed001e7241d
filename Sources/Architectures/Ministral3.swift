import Mixers
import StrictJSON
public import TensorTypes

/// Ministral 3, alone or as the part of Mistral 3 that reads text: Mistral with YaRN, whose queries grow
/// with the position beyond the original length: texts are read up to that.
///
/// Source: `transformers` `Ministral3Config` and `Ministral3ForCausalLM`.
public enum Ministral3: Architecture {
  public static let modelType = "ministral3"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "Ministral 3 3B to 14B, their text",
    special: "queries that grow beyond the trained length")
  public static let names = NameTable(HuggingFaceNames.rows)

  /// The key of how fast queries grow.
  private static let growthKey = "llama_4_scaling_beta"

  /// What an absent `rope_parameters` means.
  private static let standard: JSONObject = [
    "rope_type": "yarn", "rope_theta": 1_000_000.0, "factor": 16.0,
    "original_max_position_embeddings": 16_384, "beta_fast": 32.0, "beta_slow": 1.0,
    "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1,
  ]

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    let form = RotaryForm(ownKeys: [growthKey, "max_position_embeddings"], absent: standard)
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        headDim: 128, keyValueHeads: 8, positions: 262_144, normEpsilon: 1e-5,
        rotary: form))
    try config.slideAll(&model, window: config.optionalSize("sliding_window"))
    let rotary = try config.rotaryKeys(form)
    guard let growth = rotary.value(growthKey) else {
      throw .missingKey(rotary.name(growthKey), file: config.file)
    }
    guard let growth = growth.double, growth.isFinite else {
      throw rotary.wrongType(growthKey, "a number", growth)
    }
    if growth != 0 {
      let key = "original_max_position_embeddings"
      var length = try config.optionalSize(key)
      if length == nil { length = try rotary.optionalSize(key) }
      if case .yarn(_, _, _, _, let positions) = model.rotary.scaling { length = positions }
      guard let length else { throw .missingKey(rotary.name(key), file: config.file) }
      model.rotary.limit = min(length, model.rotary.limit ?? length)
    }
    return model
  }
}
