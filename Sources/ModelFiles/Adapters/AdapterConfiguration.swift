import Architectures
import Foundations
import StrictJSON

/// An adapter_config.json of PEFT: what scales the products of an adapter, and whether more belongs to
/// its function than LoRA of matrices.
///
/// Source: `LoraConfig` of PEFT 0.21.
struct AdapterConfiguration {
  static let fileName = "adapter_config.json"

  /// The model that the adapter was trained on, as PEFT named it; nil when it did not.
  let base: String?
  /// What the user should know.
  let notes: [String]
  /// Whether an output head that is the embedding stays it when that is changed.
  let keepsTies: Bool

  private let file: String
  private let alpha: Double
  private let rank: Int
  private let isRankStabilized: Bool
  private let alphas: [(pattern: String, value: Double)]
  private let ranks: [(pattern: String, value: Double)]

  /// Reads `object`, the contents of `file`.
  init(_ object: JSONObject, file: String) throws {
    self.file = file
    let config = Configuration(object, file: file)
    let kind = try config.string("peft_type")
    guard kind == "LORA" else { throw AdapterError.kind(kind, file: file) }
    for (key, reason) in Self.refused {
      guard let value = config.value(key), value != false, value.array?.isEmpty != true,
        value.object?.members.isEmpty != true
      else { continue }
      throw AdapterError.setting(
        key: key, value: String(value.compact.prefix(60)), reason: reason, file: file)
    }
    if let start = config.value("init_lora_weights"), start.bool == nil {
      guard let name = start.string, Self.starts.contains(name.lowercased()) else {
        throw AdapterError.setting(
          key: "init_lora_weights", value: start.compact,
          reason:
            "changes the base weights before the training, so that the adapter is not for them",
          file: file)
      }
    }
    alpha = try config.number("lora_alpha", default: 8)
    rank = try config.optionalSize("r") ?? 8
    isRankStabilized = try config.bool("use_rslora", default: false)
    alphas = try config.patterns("alpha_pattern")
    ranks = try config.patterns("rank_pattern")
    keepsTies = try config.bool("ensure_weight_tying", default: false)
    base = config.value("base_model_name_or_path")?.string
    var notes: [String] = []
    if try config.bool("fan_in_fan_out", default: false) {
      notes.append(
        "adapter_config.json: fan_in_fan_out is not followed, as PEFT does not for linear layers.")
    }
    self.notes = notes + (try config.restNotes(Self.furtherKeys))
  }

  /// What the product of `module` is multiplied by; throws when its rank is not the configured one.
  func scale(of module: String, rank stored: Int) throws -> Float {
    let configured = Self.value(in: ranks, for: module) ?? Double(rank)
    guard configured == Double(stored) else {
      throw AdapterError.rank(
        module: module, configured: Int(exactly: configured) ?? 0, stored: stored, file: file)
    }
    let alpha = Self.value(in: alphas, for: module) ?? alpha
    return Float(isRankStabilized ? alpha / configured.squareRoot() : alpha / configured)
  }

  /// The first value whose pattern is the name of `module` or of what it ends in; with ^ in front, the
  /// whole name alone.
  private static func value(
    in patterns: [(pattern: String, value: Double)], for module: String
  ) -> Double? {
    patterns.first { pattern, _ in
      pattern.hasPrefix("^")
        ? module == pattern.dropFirst() : module == pattern || module.hasSuffix("." + pattern)
    }?.value
  }

  /// How adapters are begun that leave the base weights as they are.
  private static let starts: Set<String> = ["gaussian", "eva", "orthogonal"]

  /// Keys that make another function of it unless they are null, false or empty, and how.
  private static let refused: [(key: String, reason: String)] = [
    ("use_dora", "is DoRA, which scales merged weights by learnt magnitudes"),
    ("use_qalora", "is QALoRA, which pools its inputs"),
    ("alora_invocation_tokens", "lets the adapter work from some tokens on only"),
    ("layer_replication", "makes more layers than the model has"),
    ("target_parameters", "adapts parameters that are no linear layers"),
    ("trainable_token_indices", "trains rows of the embedding"),
    ("monteclora_config", "is MonteCLoRA, which draws weights at random"),
    ("use_bdlora", "is BD-LoRA, whose matrices are blocks"),
    ("arrow_config", "chooses among adapters by the input"),
    ("kasa_config", "is KaSA, which changes the base weights"),
    ("velora_config", "is VeLoRA, which is not known here"),
    ("lora_ga_config", "is LoRA-GA, which changes the base weights"),
    ("corda_config", "is CorDA, which changes the base weights"),
    ("loftq_config", "is LoftQ, which changes the base weights"),
    ("megatron_config", "is for layers of Megatron"),
  ]

  private static let furtherKeys = KeyTable(
    harmless: [
      "where it comes from": [
        "base_model_name_or_path", "revision", "auto_mapping", "peft_version", "task_type",
        "base_model_class", "parent_library",
      ],
      "training": [
        "lora_dropout", "inference_mode", "eva_config", "megatron_core", "runtime_config",
        "qalora_group_size",
      ],
      "the tensors tell": [
        "target_modules", "exclude_modules", "modules_to_save", "layers_to_transform",
        "layers_pattern", "bias", "lora_bias",
      ],
    ], decisive: [:])
}

extension Configuration {
  /// An optional number.
  fileprivate func number(_ key: String, default fallback: Double) throws -> Double {
    guard let value = value(key) else { return fallback }
    guard let number = value.double, number.isFinite else {
      throw ConfigurationError.wrongType(
        key: name(key), expected: "a number", got: String(value.compact.prefix(60)), file: file)
    }
    return number
  }

  /// Numbers by patterns of module names: names and ends of names are read, expressions are not.
  fileprivate func patterns(_ key: String) throws -> [(pattern: String, value: Double)] {
    guard let object = try nested(key)?.object else { return [] }
    return try object.members.map { pattern, value in
      let name = pattern.hasPrefix("^") ? pattern.dropFirst() : pattern[...]
      guard !name.isEmpty,
        name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
      else {
        throw AdapterError.setting(
          key: key, value: "\"\(pattern)\"",
          reason: "is a regular expression; names of modules, and what they end in, are read",
          file: file)
      }
      guard let number = value.double, number.isFinite, number > 0 || key != "rank_pattern" else {
        throw ConfigurationError.wrongType(
          key: "\(key).\(pattern)", expected: "a number", got: String(value.compact.prefix(60)),
          file: file)
      }
      return (pattern, number)
    }
  }
}
