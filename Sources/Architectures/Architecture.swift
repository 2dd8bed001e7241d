import Mixers
public import StrictJSON
public import TensorTypes

/// One model architecture: how its configuration is read and how its tensors are named.
///
/// Adding an architecture is one file with a type that conforms, and its line in
/// `Architectures.all`.
public protocol Architecture: Sendable {
  /// The `model_type` in config.json.
  static var modelType: String { get }
  /// Whether `convert` accepts it as a source.
  static var isSource: Bool { get }
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

extension ConvertedLayout {
  /// Converted models are not sources of a conversion.
  public static var isSource: Bool { false }

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
    OLMoE.self, Granite.self, SmolLM3.self, SeedOss.self, MiniCPM.self, GLASwa.self,
    SpikingBrainLayout.self,
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

  /// The configuration of the language model that `config` describes: itself, or, when it is that of a
  /// model of several parts, what it says of the one that reads text.
  public static func languageModel(of config: Configuration) -> Configuration {
    func isKnown(_ object: JSONObject) -> Bool {
      all.contains { $0.modelType == object["model_type"]?.string }
    }
    guard !isKnown(config.object), var text = config.object[textKey]?.object, isKnown(text) else {
      return config
    }
    // The whole model says whether its head is the embedding, and how its weights are stored.
    for key in ["tie_word_embeddings", CompressedTensors.key, "quantization"] {
      text[key] = config.object[key] ?? text[key]
    }
    return Configuration(model: text, below: textKey, of: config)
  }
}
