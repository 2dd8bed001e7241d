import Mixers
public import StrictJSON
public import TensorTypes

/// What the table of supported architectures says of one, beside what follows from its code.
public struct ArchitectureSummary: Sendable {
  /// Published models, the best known first.
  public let models: String
  /// What it has that Llama has not.
  public let special: String
}

/// One model architecture: how its configuration is read and how its tensors are named.
///
/// Adding an architecture is one file with a type that conforms, and its line in
/// `Architectures.all`.
public protocol Architecture: Sendable {
  /// The `model_type` in config.json.
  static var modelType: String { get }
  /// What is said of it as a source; nil for converted layouts, which are not sources of a conversion.
  static var summary: ArchitectureSummary? { get }
  /// Throws where a model of several parts would compute something else with a key of this part, which
  /// `config` is, than the part does alone.
  static func checkPart(_ config: Configuration) throws(ConfigurationError)
  /// The special tokens that leave the white space behind them alone, where all others of the SentencePiece
  /// vocabulary take it, such as the line breaks of a chat format: GGUF files do not say so. Nil where none
  /// takes it.
  static var spacelessTokens: Set<String>? { get }
  /// The names its tensors have in Hugging Face directories.
  static var names: NameTable { get }
  /// The model that `config` describes.
  static func describe(_ config: Configuration) throws(ConfigurationError) -> ModelDescription
}

/// A converted layout: an architecture whose configuration we also write.
public protocol ConvertedLayout: Architecture {
  /// The configuration that describes `model`, as far as its keys can say it.
  static func configuration(of model: ModelDescription) -> JSONObject
  /// Whether decay gates may be merged: their form is in no configuration, the tensors tell.
  static var holdsMergedGates: Bool { get }
}

extension Architecture {
  /// Whether `convert` accepts it as a source.
  public static var isSource: Bool { summary != nil }

  public static var spacelessTokens: Set<String>? { nil }

  public static func checkPart(_ config: Configuration) throws(ConfigurationError) {}
}

extension ConvertedLayout {
  public static var summary: ArchitectureSummary? { nil }

  /// Why this layout cannot hold `model`, empty when it can: what is missing when the configuration
  /// that it would have is read back.
  public static func obstacles(to model: ModelDescription) -> [String] {
    do {
      let written = Configuration(configuration(of: model), file: "config.json")
      var read = try describe(written)
      if holdsMergedGates {
        read.adoptMergedGates { address in
          address.layer.map { model.layers[$0].mixer == .gatedLinear(.merged) } ?? false
        }
      }
      return model.differences(from: read)
    } catch {
      return [error.what]
    }
  }
}

/// The known architectures.
public enum Architectures {
  /// Every architecture, sources first.
  public static let all: [any Architecture.Type] = [
    Llama.self, Qwen2.self, Qwen3.self, Qwen3MoE.self, Mistral.self, Ministral.self,
    Ministral3.self, Mixtral.self, Phi3.self, Gemma2.self, Gemma3.self, Olmo2.self, Olmo3.self,
    OLMoE.self, Granite.self, SmolLM3.self, SeedOss.self, MiniCPM.self, Qwen2VL.self,
    Qwen25VL.self, Qwen3VL.self, GLASwa.self, SpikingBrainLayout.self,
  ]

  /// Published mixture-of-experts architectures that are not read, which users may try.
  private static let expertModels: Set<String> = [
    "qwen2_moe", "deepseek_v2", "deepseek_v3", "gpt_oss", "dbrx", "phimoe", "granitemoe", "llama4",
  ]

  /// The source architecture that computes what `model` does, with the configuration that says so;
  /// nil when there is none.
  public static func source(
    of model: ModelDescription
  ) -> (architecture: any Architecture.Type, configuration: JSONObject)? {
    for architecture in all where architecture.isSource {
      guard
        let object = HuggingFaceNames.configuration(of: model, as: architecture.modelType)
      else { continue }
      var described = try? architecture.describe(Configuration(object, file: "config.json"))
      described?.modelType = model.modelType
      // No source has a mixer that uses it.
      described?.branchNormEpsilon = model.branchNormEpsilon
      if described == model { return (architecture, object) }
    }
    return nil
  }

  /// The architecture a configuration names.
  public static func of(
    _ config: Configuration
  ) throws(ConfigurationError) -> any Architecture.Type {
    let modelType = try config.string("model_type")
    if expertModels.contains(modelType) {
      throw .unsupported(
        key: "model_type", value: modelType,
        reason: "its experts are not known here; those of Qwen3-MoE, Mixtral and OLMoE are, and "
          + "`upcycle` makes experts from a dense checkpoint",
        file: config.file)
    }
    guard let found = all.first(where: { $0.modelType == modelType }) else {
      throw .unknownArchitecture(
        modelType, known: all.map { $0.modelType }, file: config.file)
    }
    return found
  }

  /// The key of the language model's configuration in that of a model of several parts.
  private static let textKey = "text_config"

  /// Models of several parts, with what reads text in them where their files do not name it.
  ///
  /// Source: the defaults of their configuration classes in `transformers`.
  private static let languageModels = [
    "qwen2_vl": Qwen2VL.modelType, "qwen2_5_vl": Qwen25VL.modelType,
    "qwen3_vl": Qwen3VL.modelType, "gemma3": Gemma3.modelType, "mistral3": Mistral.modelType,
    "llava": Llama.modelType,
  ]
  /// Those whose older files have the keys of the language model among their own.
  private static let flatModels: Set = ["qwen2_vl", "qwen2_5_vl"]

  /// The configuration of the language model that `config` describes: itself, or, when it is that of a
  /// model of several parts, what it says of the one that reads text.
  ///
  /// Throws where the whole model would compute something else with a key than its part does alone.
  public static func languageModel(
    of config: Configuration
  ) throws(ConfigurationError) -> Configuration {
    func known(_ object: JSONObject) -> (any Architecture.Type)? {
      all.first { $0.modelType == object["model_type"]?.string }
    }
    guard known(config.object) == nil else { return config }
    let whole = config.object["model_type"]?.string ?? ""
    guard var text = config.object[textKey]?.object else {
      guard flatModels.contains(whole), let type = languageModels[whole] else { return config }
      var flat = config.object
      flat["model_type"] = .string(type)
      for key in flat.keys where key.hasPrefix("vision_") || key.hasSuffix("_token_id") {
        if !["bos_token_id", "eos_token_id", "pad_token_id"].contains(key) { flat[key] = nil }
      }
      return Configuration(flat, file: config.file)
    }
    if text["model_type"] == nil { text["model_type"] = languageModels[whole].map { .string($0) } }
    guard let architecture = known(text) else { return config }
    // The whole model says whether its head is the embedding, and how its weights are stored.
    for key in ["tie_word_embeddings", CompressedTensors.key, "quantization"] {
      text[key] = config.object[key] ?? text[key]
    }
    let part = Configuration(model: text, below: textKey, of: config)
    try architecture.checkPart(part)
    return part
  }
}
