import Mixers
import StrictJSON
public import TensorTypes

/// OLMo 3: OLMo 2 with windows in three layers of four, and scaled rotary embeddings in the others alone.
///
/// Source: `transformers` `Olmo3Config` and `Olmo3ForCausalLM`.
public enum Olmo3: Architecture {
  public static let modelType = "olmo3"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "OLMo 3 7B and 32B",
    special: "as OLMo 2 with windows by `layer_types`")
  public static let names = Olmo2.names

  /// The base of the class.
  private static let base = 500_000.0

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType, defaults: .init(normEpsilon: 1e-5, rotary: nil))
    model.biases = try config.biases()
    model.normPlacement = .after
    model.queryKeyNorm = .whole
    let types = try config.layerTypes(depth: model.layers.count)
    let slides = types ?? model.layers.indices.map { ($0 + 1) % 4 != 0 }
    let rotary = try config.rotaryByKind(
      headDim: model.headDim, positions: model.maximumPositions, form: .init(theta: base),
      slidingBase: (nil, base))
    // Version 4 of transformers takes the key at the top for all layers, version 5 not for those.
    let top = try config.positive("rope_theta", default: base)
    let own = config.object["rope_parameters"]?["sliding_attention"]?["rope_theta"]
    if slides.contains(true), top != base, own == nil {
      throw .unsupported(
        key: config.name("rope_theta"), value: "\(top)",
        reason: "versions of transformers differ on layers with a window; name both bases in "
          + "rope_parameters", file: config.file)
    }
    try config.slide(&model, slides, window: config.windowSize(), rotary: rotary)
    return model
  }
}
