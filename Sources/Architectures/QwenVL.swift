import StrictJSON
public import TensorTypes

/// Qwen2-VL, the part that reads text: Qwen2 whose channels turn by three positions, which are one in a
/// text without images.
///
/// Source: `transformers` `Qwen2VLTextConfig` and `Qwen2VLForConditionalGeneration`.
public enum Qwen2VL: Architecture {
  public static let modelType = "qwen2_vl_text"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "the text of Qwen2-VL",
    special: "as Qwen2; positions of images are equal in texts")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription { try config.qwen2VL(modelType: modelType) }
}

/// Qwen2.5-VL, the part that reads text, which is that of Qwen2-VL.
///
/// Source: `transformers` `Qwen2_5_VLTextConfig`.
public enum Qwen25VL: Architecture {
  public static let modelType = "qwen2_5_vl_text"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "the text of Qwen2.5-VL",
    special: "as Qwen2-VL")
  public static let names = NameTable(HuggingFaceNames.rows)

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription { try config.qwen2VL(modelType: modelType) }
}

/// Qwen3-VL, the part that reads text: Qwen3 whose channels turn by three positions, which are one in a
/// text without images.
///
/// Source: `transformers` `Qwen3VLTextConfig` and `Qwen3VLForConditionalGeneration`.
public enum Qwen3VL: Architecture {
  public static let modelType = "qwen3_vl_text"
  public static let summary: ArchitectureSummary? = ArchitectureSummary(
    models: "the text of Qwen3-VL",
    special: "as Qwen3; positions of images are equal in texts")
  public static let names = Qwen3.names

  public static func describe(
    _ config: Configuration
  ) throws(ConfigurationError) -> ModelDescription {
    var model = try config.transformer(
      modelType: modelType,
      defaults: .init(
        headDim: 128, keyValueHeads: 32, positions: 128_000,
        rotary: .ofImages(theta: 500_000, types: ["default"])))
    model.biases = try config.biases()
    model.queryKeyNorm = .perHead
    try config.expectSections(of: model, areInterleaved: true)
    try config.expectAllLayers(nil, depth: model.layers.count)
    return model
  }
}

extension RotaryForm {
  /// That of models that give three positions to a token of an image.
  fileprivate static func ofImages(theta: Double, types: [String]) -> RotaryForm {
    RotaryForm(theta: theta, types: types, ownKeys: [Configuration.sections, "mrope_interleaved"])
  }
}

extension Configuration {
  /// How many channels turn by each position.
  fileprivate static let sections = "mrope_section"

  /// What Qwen2-VL and Qwen2.5-VL have in common.
  fileprivate func qwen2VL(modelType: String) throws(ConfigurationError) -> ModelDescription {
    var model = try transformer(
      modelType: modelType,
      defaults: .init(
        keyValueHeads: 8, positions: 32_768, normEpsilon: 1e-5,
        // The older name of the type means the same there.
        rotary: .ofImages(theta: 1_000_000, types: ["default", "mrope"])))
    guard model.queryWidth == model.hiddenSize else {
      throw .inconsistent(
        "\(name("head_dim")) (\(model.headDim)) is not \(name("hidden_size")) / "
          + name("num_attention_heads"), file: file)
    }
    model.biases = .init(queryKeyValue: true)
    model.layers = try qwenMixers(depth: model.layers.count, firstSliding: 80)
    try expectSections(of: model, areInterleaved: false)
    return model
  }

  /// Refuses sections that do not divide the channels of a head, which the classes cannot use either.
  fileprivate func expectSections(
    of model: ModelDescription, areInterleaved: Bool
  ) throws(ConfigurationError) {
    for place in [try nested("rope_scaling"), try nested("rope_parameters")].compactMap(\.self) {
      guard let sections = try place.integers(Self.sections) else { continue }
      let channels = model.headDim / 2, sum = sections.reduce(0, +)
      guard sections.count == 3, sections.allSatisfy({ $0 >= 0 && $0 <= channels }),
        areInterleaved ? sum <= channels : sum == channels
      else {
        throw .outOfRange(
          key: place.name(Self.sections), value: "\(sections)",
          expected: "three numbers that divide the \(channels) pairs of channels of a head",
          file: file)
      }
    }
  }
}
