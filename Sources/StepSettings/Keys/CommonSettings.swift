import Foundations
public import TensorTypes

extension Setting<OutputType> {
  /// The element type of what is written.
  static var dtype: Setting { Setting("dtype", .keep, "Element type of the output.") }
}

extension Setting<ByteSize> {
  /// Most bytes of tensors in one file.
  static var shardSize: Setting {
    Setting(
      "shard-size", ByteSize(5_000_000_000), "Most bytes of tensors per file.", valueName: "size",
      shownDefault: "5GB"
    ) { $0.bytes > 0 }
  }
}

extension Setting<String?> {
  /// The path of a file, or of a text, that may be given.
  static func file(_ name: String, _ help: String, of kind: PathKind = .file) -> Setting {
    Setting(name, none: "", help, expected: "a file", valueName: "file", shownDefault: "")
      .paths(of: kind)
  }
}

extension Setting<String?> {
  /// The directory of an adapter; what it holds decides the result, which manifests record as a digest.
  static func lora(_ help: String) -> Setting {
    Setting(
      "lora", none: "", help, expected: "a directory", valueName: "dir", isRecorded: false,
      shownDefault: ""
    ).paths(of: .file)
  }
}

extension Setting<Double> {
  /// How flat the distribution is that is sampled from.
  static let temperature = Setting(
    "temperature", 0.0, "0 is greedy; 1 samples from the model's distribution.",
    expected: "0 or more"
  ) { $0 >= 0 }
  /// The probability of the tokens that are sampled from.
  static let topP = Setting(
    "top-p", 1.0, "Sample from the most likely tokens that make up this probability.",
    expected: "more than 0, at most 1"
  ) { $0 > 0 && $0 <= 1 }
}

extension Setting<UInt64> {
  /// A seed of pseudo-random numbers.
  static func seed(_ help: String) -> Setting { Setting("seed", 0, help) }
}

extension Setting<Int> {
  /// Tokens of a step's texts that are used.
  static func tokens(_ fallback: Int) -> Setting {
    Setting(
      "tokens", fallback, in: 1...1 << 32, "Tokens of the texts to use.", expected: "1 or more")
  }

  /// Tokens per segment of a step's texts; each starts from an empty state.
  static func context(_ fallback: Int, _ help: String = "Tokens per segment of the texts.")
    -> Setting
  {
    Setting("context", fallback, in: 2...1 << 20, help)
  }
}

/// The element type of written tensors.
public enum OutputType: String, Sendable, CaseIterable, SettingValue {
  /// Each tensor's own type; quantised tensors become bfloat16.
  case keep
  case bfloat16, float16, float32

  /// Also the short names that other programs use.
  public init?(spelling: String) {
    let short = [
      "bf16": Self.bfloat16, "fp16": .float16, "f16": .float16, "fp32": .float32, "f32": .float32,
    ]
    guard let type = short[spelling] ?? Self(rawValue: spelling) else { return nil }
    self = type
  }

  /// The type that a tensor stored as `stored` is written in.
  public func applied(
    to stored: @autoclosure () throws -> ScalarType
  ) rethrows -> ScalarType {
    switch self {
    case .bfloat16: return .bfloat16
    case .float16: return .float16
    case .float32: return .float32
    case .keep:
      let type = try stored()
      return type.isQuantised ? .bfloat16 : type
    }
  }
}

/// Limits that several steps share.
enum Limits {
  /// The bias of the decay gates: beyond it the decay no longer changes.
  static let gateBias = -1000.0...1000.0
}
