public import TensorTypes

/// The settings of `inspect`.
public struct InspectKeys: SettingKeys {
  /// Whether every tensor is listed.
  public let tensors = Setting("tensors", false, "List every tensor.")
  /// A text on which the experts' load is counted; nil for none.
  public let text = Setting<String?>.file(
    "text", "Run the model on this text and show how its tokens spread over the experts.",
    of: .text)
  /// Tokens of the text that are used.
  public let count = Setting(
    "tokens", 4096, in: 2...1 << 40, "Tokens of the text to use.", expected: "at least 2")
  /// Tokens per segment of the text.
  public let context = Setting(
    "context", 1024, in: 1...1 << 40, "Tokens per segment of the text.", expected: "at least 1")

  /// The declarations.
  public static let keys = InspectKeys()
}

/// The settings of `logits`.
public struct LogitsKeys: SettingKeys {
  /// The tokens, a list.
  public let tokens = Setting(
    "tokens", "", "Token ids, such as 1,2,3.", valueName: "ids", isRequired: true, shownDefault: "")
  /// Whether the residual streams are written too.
  public let layers = Setting(
    "layers", false,
    "Also write hidden.N [T, H], the residual stream entering layer N and after the last.")
  /// Whether tokens pass one by one.
  public let stepwise = Setting(
    "stepwise", false, "Run token by token through the decoding state.")
  /// The file that is written.
  public let output = Setting(
    "output", "", "The safetensors file to write.", valueName: "file", isRequired: true,
    shownDefault: ""
  ).paths(of: .file)

  /// The declarations.
  public static let keys = LogitsKeys()
}

/// The settings of `generate`.
public struct GenerateKeys: SettingKeys {
  /// The text that is continued.
  public let prompt = Setting(
    "prompt", "", "The text to continue, or to go on with after --state.", valueName: "text",
    shownDefault: "")
  /// A file with that text; nil for none.
  public let promptFile = Setting<String?>.file(
    "prompt-file",
    "Read the prompt from this file, - for standard input; a line break at its end is left out.",
    of: .text)
  /// Most tokens that are generated.
  public let maxTokens = Setting(
    "max-tokens", 64, in: 0...Int.max, "Most tokens to generate.", expected: "0 or more")
  /// How flat the distribution is that is sampled from.
  public let temperature = Setting.temperature
  /// The probability of the tokens that are sampled from.
  public let topP = Setting.topP
  /// Seed of the sampler.
  public let seed = Setting.seed("Seed of the sampler.")
  /// Whether the prompt is a user's message.
  public let chat = Setting(
    "chat", false,
    "Treat the prompt as a user's message, after --state the next one, in the checkpoint's chat format."
  )
  /// A state to continue from; nil for none.
  public let state = Setting<String?>.file(
    "state", "Continue from a saved state; then --prompt may be left out.")
  /// Where the state is saved; nil for nowhere.
  public let saveState = Setting<String?>.file(
    "save-state", "Save the state after the last token.")

  /// The declarations.
  public static let keys = GenerateKeys()
}

/// The settings of `bench`.
public struct BenchKeys: SettingKeys {
  /// Lengths of prompts, a list.
  public let prefill = Setting(
    "prefill", "512", "Prompt lengths, such as 512,4096.", valueName: "lengths")
  /// Tokens that are decoded.
  public let decode = Setting(
    "decode", 32, in: 1...1 << 24, "Tokens to decode at each length of --at.",
    expected: "1 or more")
  /// Lengths of text at which is decoded, a list.
  public let at = Setting(
    "at", "0", "Text lengths at which decoding is measured.", valueName: "lengths")
  /// Texts that are decoded together, a list.
  public let sequences = Setting(
    "sequences", "1", "How many texts are decoded together, such as 1,4,16.", valueName: "counts")
  /// What is measured beside it: checkpoints, or commands of other programs.
  public let against = Setting.list(
    "against",
    """
    Also measure this, in turn: another checkpoint, or the command of a program that answers as \
    Tests/Benchmarks/llama.py does.
    """, expected: "a checkpoint or a command", valueName: "what")
  /// How often each is measured when there are several.
  public let rounds = Setting(
    "rounds", 3, in: 1...1000, "How often each takes its turn with --against.",
    expected: "1 to 1000")
  /// Where the figures are drawn; nil for nowhere.
  public let plot = Setting<String?>.file(
    "plot", "Also draw times by length, as SVG files in this directory.")
  /// Whether the matrix kernels are measured too.
  public let kernels = Setting(
    "kernels", false, "Also measure the matrix kernels that this processor can run.")

  /// The declarations.
  public static let keys = BenchKeys()
}

/// The settings of `synthesize`.
public struct SynthesizeKeys: SettingKeys {
  /// Seed of the weights.
  public let seed = Setting.seed("Seed of the weights.")
  /// Layers instead of the configuration's; nil for these.
  public let layers = Setting<Int?>(
    "layers", none: "config", "Use this many layers instead of the configuration's.",
    expected: "1 or more"
  ) { $0 >= 1 }
  /// Element type of the weights.
  public let dtype = Setting(
    "dtype", SyntheticType.bfloat16, "Element type of the weights.")
  /// Most bytes of tensors in one file.
  public let shardSize = Setting.shardSize
  /// Whether only headers and holes are written.
  public let sparse = Setting("sparse", false, "Headers and holes only.")

  /// The declarations.
  public static let keys = SynthesizeKeys()
}

/// Element types of random weights.
public enum SyntheticType: String, Sendable, CaseIterable, SettingValue {
  case bfloat16, float16, float32

  /// The same as the type of a tensor.
  public var scalarType: ScalarType {
    switch self {
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .float32: .float32
    }
  }
}

/// The settings of `report`.
public struct ReportKeys: SettingKeys {
  /// Texts to run the model on; empty for none.
  public let text = Setting.texts("Texts to run the model on.")
  /// The model to compare predictions with; nil for none.
  public let teacher = Setting<String?>.file(
    "teacher", "The source, to compare predictions of the text with.")
  /// The layer whose neurons are compared with spikes as distributed representations; nil for none.
  public let sdr = Setting<Int?>(
    "sdr", none: "none",
    """
    Compare 2% winners of this layer's neurons with spikes as distributed representations; needs \
    --text.
    """, expected: "a layer", valueName: "layer")
  /// Tokens of the texts that are used.
  public let count = Setting(
    "tokens", 2048, in: 2...1 << 40, "Tokens of the texts to use.", expected: "at least 2")
  /// Tokens per segment of the texts.
  public let context = Setting(
    "context", 512, in: 2...1 << 40, "Tokens per segment of the texts.", expected: "at least 2")
  /// Whether speed is left out.
  public let noTiming = Setting("no-timing", false, "Do not measure speed.", isRecorded: false)

  /// The declarations.
  public static let keys = ReportKeys()

  public static let rules: [SettingRule<ReportKeys>] = [
    SettingRule(\.sdr, "together with --text") { $0.sdr == nil || !$0.text.isEmpty },
    SettingRule(\.teacher, "together with --text") { $0.teacher == nil || !$0.text.isEmpty },
  ]
}
