public import Foundations

/// The settings of `serve`.
public struct ServeKeys: SettingKeys {
  /// The address that is listened on.
  public let host = Setting(
    "host", "127.0.0.1", "Address to listen on; 0.0.0.0 for all of this machine's.",
    valueName: "address")
  /// The port that is listened on.
  public let port = Setting(
    "port", 8080, in: 0...65535, "Port to listen on; 0 for any that is free.", valueName: "n")
  /// Who may ask; empty for everybody.
  public let apiKey = Setting.list(
    "api-key",
    "Answer only who sends one of these keys. The environment variable SPIKINGBRAIN_API_KEY, keys "
      + "separated by commas, is not seen by other users.", expected: "keys", valueName: "key")
  /// What the model is called; nil for the checkpoint's name.
  public let modelName = Setting<String?>(
    "model-name", none: "", "What clients call the model.", expected: "a text", valueName: "name",
    shownDefault: "the checkpoint's name")
  /// Texts that are continued at a time.
  public let batch = Setting(
    "batch", 16, in: 1...64,
    "Texts that are continued together; with 1, numbers are those of generate to the last bit.",
    valueName: "n")
  /// Tokens of a prompt that are read between two steps.
  public let chunk = Setting(
    "chunk", 512, in: 1...512, "Tokens of a prompt that are read while others wait.",
    valueName: "n")
  /// Requests that may wait.
  public let queue = Setting(
    "queue", 64, in: 0...1 << 16, "Requests that may wait for a place; more are refused.",
    valueName: "n")
  /// Most tokens of an answer.
  public let maxTokens = Setting(
    "max-tokens", 4096, in: 1...1 << 24, "Most tokens of an answer.", valueName: "n")
  /// Seconds that a request may take.
  public let timeLimit = Setting(
    "time-limit", 600.0, in: 0.001...1e6, "Seconds that a request may take, waiting included.",
    valueName: "s")
  /// Most bytes of a request.
  public let maxBody = Setting(
    "max-body", ByteSize(8 << 20), "Most bytes of a request.", valueName: "size")
  /// Bytes of kept states in memory.
  public let stateMemory = Setting(
    "state-memory", ByteSize(1 << 30), "Most memory of the states kept of conversations.",
    valueName: "size")
  /// Where states go that have no place in memory; nil for nowhere.
  public let stateDir = Setting<String?>(
    "state-dir", none: "",
    "Keep states that have no place in memory, and all at the end, in this directory.",
    expected: "a directory", valueName: "dir", shownDefault: ""
  ).paths(of: .file)
  /// Bytes of kept states in files.
  public let stateDisk = Setting(
    "state-disk", ByteSize(4 << 30), "Most bytes of the states in --state-dir.", valueName: "size")

  /// The declarations.
  public static let keys = ServeKeys()

  public static let rules: [SettingRule<ServeKeys>] = [
    SettingRule(\.apiKey, "keys that are not empty") { !$0.apiKey.contains("") }
  ]
}

/// The settings of `chat`.
public struct ChatKeys: SettingKeys {
  /// What comes before the conversation; nil for nothing.
  public let system = Setting<String?>(
    "system", none: "", "What the model is told before the conversation.", expected: "a text",
    valueName: "text", shownDefault: "")
  /// Most tokens of an answer.
  public let maxTokens = Setting(
    "max-tokens", 1024, in: 1...1 << 24, "Most tokens of an answer.", expected: "1 or more")
  /// How flat the distribution is that is sampled from.
  public let temperature = Setting.temperature
  /// The probability of the tokens that are sampled from.
  public let topP = Setting.topP
  /// Seed of the sampler.
  public let seed = Setting.seed("Seed of the sampler.")
  /// A conversation to go on with; nil for none.
  public let load = Setting<String?>.file("load", "Go on with a conversation that /save wrote.")

  /// The declarations.
  public static let keys = ChatKeys()
}
