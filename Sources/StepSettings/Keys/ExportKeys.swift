/// What `export` may be told.
public typealias ExportSettings = Settings<ExportKeys>

/// The settings of `export`.
public struct ExportKeys: SettingKeys {
  /// The name of the profile: which loader the result is for.
  public let profile = Setting(
    "profile", "", "Which loader the result is for.", expected: "the name of a profile",
    isRequired: true, shownDefault: "")
  /// An adapter that is merged into the checkpoint first; nil for none.
  public let lora = Setting<String?>.lora(
    "A LoRA adapter, as PEFT saves it, that is merged into the checkpoint first.")
  /// The element type of what is not quantised.
  public let dtype = Setting(
    "dtype", OutputType.keep, "Element type of what is not quantised.")
  /// The ranks that the result is cut for.
  public let topology = TopologyKeys()
  /// Most bytes of tensors in one file.
  public let shardSize = Setting.shardSize
  /// Whether config.json may name the code that runs the model.
  public let autoMap = Setting(
    "auto-map", true, "Name the code that runs the model in config.json.")
  /// Whose code that is.
  public let code = Setting(
    "code", ModelCode.own,
    "Code for transformers, with --profile hf: own, written beside the weights, or upstream, the names "
      + "of the public 7B model's.")

  /// The declarations.
  public static let keys = ExportKeys()
}

/// Whose Python code runs an export of a converted model in transformers.
public enum ModelCode: String, Sendable, CaseIterable, SettingValue {
  /// That of this program, which is written beside the weights.
  case own
  /// That of the public 7B model, which its config.json names.
  case upstream
}

extension ExportSettings {
  /// The defaults for a profile.
  public init(profile: String) {
    self.init()
    self.profile = profile
  }
}

/// How many ranks share the layers' matrices, the layers and the experts.
public struct TopologyKeys: SettingKeys {
  /// Ranks that each hold a part of every matrix.
  public let tensor = Setting(
    "tp", 1, in: 1...65_536, "Ranks that each hold a part of every matrix.", valueName: "n")
  /// Ranks that each hold some layers.
  public let pipeline = Setting(
    "pp", 1, in: 1...65_536, "Ranks that each hold some layers.", valueName: "n")
  /// Ranks that each hold some experts.
  public let expert = Setting(
    "ep", 1, in: 1...65_536, "Ranks that each hold some experts.", valueName: "n")

  /// The declarations.
  public static let keys = TopologyKeys()
}

extension Settings<TopologyKeys> {
  /// Whether one rank holds everything.
  public var isSingle: Bool { self == Self() }
}
