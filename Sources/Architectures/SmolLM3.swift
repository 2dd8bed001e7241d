import Mixers
public import TensorTypes

/// SmolLM3: Llama whose rotary embeddings are missing from every fourth layer.
///
/// Source: `transformers` `SmolLM3Config` and `SmolLM3ForCausalLM`; in `no_rope_layers` 1 stands for a
/// layer that has them.
public enum SmolLM3: Architecture {
  public static let modelType = "smollm3"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "SmolLM3 3B",
    special: "no rotary embeddings in every fourth layer")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        keyValueHeads: 4, positions: 32_768, rotary: .init(theta: 2_000_000),
        tiesEmbeddings: true))
    model.biases = try config.biases(ofFeedForward: true)
    let depth = model.layers.count
    let interval = try config.optionalSize("no_rope_layer_interval") ?? 4
    let stated = try config.integers("no_rope_layers")
    if let stated {
      guard stated.count >= depth, stated.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw .outOfRange(
          key: config.name("no_rope_layers"), value: "\(stated.count) entries",
          expected: "0 or 1 for each of \(depth) layers (num_hidden_layers)", file: config.file)
      }
    }
    let turns = (0..<depth).map { layer in
      stated.map { $0[layer] == 1 } ?? ((layer + 1) % interval != 0)
    }
    for layer in 0..<depth where !turns[layer] { model.layers[layer].rotary = .none }
    let isUsed = try config.bool("use_sliding_window", default: false)
    let window = try config.optionalSize("sliding_window")
    let types = try config.layerTypes(depth: depth)
    if !isUsed, types?.contains(true) ?? false {
      throw .unsupported(
        key: config.name("layer_types"), value: "sliding_attention",
        reason: "use_sliding_window is not true", file: config.file)
    }
    try config.slide(
      &model, types ?? turns.map { !$0 && isUsed && window != nil }, window: window)
    return model
  }
}
