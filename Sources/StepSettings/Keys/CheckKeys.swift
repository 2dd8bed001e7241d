/// What `verify` may be told.
public typealias VerifySettings = Settings<VerifyKeys>

/// The settings of `verify`.
public struct VerifyKeys: SettingKeys {
  /// How deep to look.
  public let level = Setting("level", VerificationLevel.logits, "How deep to look.")
  /// A text whose perplexity is measured; nil for none.
  public let text = Setting<String?>.file("text", "A text, for --level quality.", of: .text)
  /// The adapter that was merged into what the checkpoint was made from; nil for none.
  public let lora = Setting<String?>.lora("The LoRA adapter that was merged into --source.")

  /// The public key, an Ed25519 one in PEM form, whose owner is to have signed it; nil for nobody's.
  public let publicKey = Setting<String?>.file(
    "public-key", "Fail unless the owner of this Ed25519 key (PEM) signed the checkpoint.")

  /// The declarations.
  public static let keys = VerifyKeys()

  public static let rules: [SettingRule<VerifyKeys>] = [
    SettingRule(\.level, "--text FILE beside it") { $0.level != .quality || $0.text != nil },
    SettingRule(\.publicKey, "--level hashes or a later one beside it") {
      $0.publicKey == nil || $0.level >= .hashes
    },
  ]
}

/// How deep `verify` looks; levels are cumulative.
public enum VerificationLevel: String, Sendable, CaseIterable, Comparable, SettingValue {
  case structure, hashes, values, logits, quality

  /// Later levels include earlier ones.
  public static func < (left: VerificationLevel, right: VerificationLevel) -> Bool {
    (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
  }
}

/// What `evaluate` may be told.
public typealias EvaluateSettings = Settings<EvaluateKeys>

/// The settings of `evaluate`.
public struct EvaluateKeys: SettingKeys {
  /// The text file.
  public let text = Setting(
    "text", "", "A UTF-8 text file; - is standard input.", expected: "a file, or --task FILE",
    valueName: "file",
    shownDefault: ""
  ).paths(of: .text)
  /// Tokens per segment.
  public let context = Setting(
    "context", 1024, in: 2...1 << 40, "Tokens per segment.", expected: "at least 2")
  /// Most tokens of the text; nil for all.
  public let tokens = Setting<Int?>(
    "tokens", none: "all", "Use only the first tokens of the text.", expected: "at least 2"
  ) { $0 >= 2 }
  /// What is switched off; nil for nothing.
  public let ablate = Setting<String?>(
    "ablate", none: "none",
    """
    Switch something off: state[:N] empties every linear state each N tokens, attention removes the \
    output of softmax attention, linear that of linear attention.
    """, expected: "state, state:N, attention or linear", valueName: "what")
  /// Whether it is evaluated again with states emptied.
  public let memory = Setting(
    "memory", false,
    """
    Evaluate again with every linear state emptied each 1, 16, 64, 256, … tokens. The effective memory \
    is the least of these from which on the mean NLL changes by at most two standard errors (over \
    segments) or by less than 0.001 nats.
    """)
  /// What is recalled of random spans, instead of the perplexity.
  public let recall = RecallKeys()
  /// Tasks that are evaluated instead of a text.
  public let tasks = TaskKeys()

  /// The declarations.
  public static let keys = EvaluateKeys()

  public static let rules: [SettingRule<EvaluateKeys>] = [
    SettingRule(\.text, "a file, or --task FILE") { !$0.text.isEmpty || !$0.tasks.files.isEmpty },
    SettingRule(\.text, "not together with --task") { $0.text.isEmpty || $0.tasks.files.isEmpty },
    SettingRule(\.context, "not together with --task") {
      !$0.isGiven(\.context) || $0.tasks.files.isEmpty
    },
    SettingRule(\.tokens, "not together with --task") {
      !$0.isGiven(\.tokens) || $0.tasks.files.isEmpty
    },
    SettingRule(\.memory, "not together with --task") { !$0.memory || $0.tasks.files.isEmpty },
    SettingRule(\.recall.trials, "not together with --task") {
      $0.recall.trials == nil || $0.tasks.files.isEmpty
    },
    SettingRule(\.tasks.limit, "together with --task") {
      $0.tasks.limit == nil || !$0.tasks.files.isEmpty
    },
    SettingRule(\.tasks.maximumLength, "together with --task") {
      $0.tasks.maximumLength == nil || !$0.tasks.files.isEmpty
    },
    SettingRule(\.ablate, saying: { "not together with \($0.memory ? "--memory" : "--recall")" }) {
      $0.ablate == nil || !$0.memory && $0.recall.trials == nil
    },
    SettingRule(\.recall.trials, "not together with --memory") {
      !$0.memory || $0.recall.trials == nil
    },
  ]
}

/// The settings of tasks.
public struct TaskKeys: SettingKeys {
  /// Task files of lm-eval; none where a text is evaluated.
  public let files = Setting.list(
    "task",
    """
    Instead of the perplexity of a text: the figures of tasks, files as lm-eval reads them. Paths in \
    them start from the working directory, as there.
    """, expected: "a task file", valueName: "file"
  ).paths(of: .file)
  /// Most questions of each; nil for all.
  public let limit = Setting<Int?>(
    "limit", none: "all", "Use only the first questions of each task.", expected: "1 or more"
  ) { $0 >= 1 }
  /// Most tokens that the model is given at once; nil for its own number of positions.
  public let maximumLength = Setting<Int?>(
    "max-length", none: "model",
    "Most tokens that the model is given at once in a task; longer texts lose their beginning.",
    expected: "2 to 16777216"
  ) { (2...1 << 24).contains($0) }

  /// The declarations.
  public static let keys = TaskKeys()
}

/// The settings of recall.
public struct RecallKeys: SettingKeys {
  /// Trials; nil where recall is not measured.
  public let trials = Setting<Int?>(
    "recall", none: "none",
    """
    Instead of the perplexity: in this many trials, the log-probability of a random span's copy, minus \
    that with every linear state emptied each 256 tokens (or each window, if smaller).
    """, expected: "2 to 1048576", valueName: "trials"
  ) { (2...1 << 20).contains($0) }
  /// Tokens of the span.
  public let span = Setting("recall-span", 64, in: 2...65_536, "Tokens of the span.")
  /// Tokens from the span's start to its copy's.
  public let distance = Setting(
    "recall-distance", 1024, in: 2...1 << 24, "Tokens from the span's start to its copy's.")
  /// Seed of the spans and their places.
  public let seed = Setting.seed("Seed of the spans and their places.")

  /// The declarations.
  public static let keys = RecallKeys()
}

/// The settings of `diff`.
public struct DiffKeys: SettingKeys {
  /// How far apart two numbers may be.
  public let tolerance = Setting(
    "tolerance", 0.0,
    "Largest difference, by the largest number of the first, that still counts as none.",
    expected: "0 or more"
  ) { $0 >= 0 }
  /// A text whose predictions are compared; nil for none.
  public let text = Setting<String?>.file(
    "text", "Compare the predictions of this text too.", of: .text)
  /// Tokens whose predictions are compared, a list.
  public let tokens = Setting(
    "tokens", "", "Compare the predictions of these tokens too, such as 1,2,3.",
    valueName: "ids", shownDefault: "")
  /// Tokens of the text that are used.
  public let count = Setting(
    "count", 512, in: 1...1 << 40, "Tokens of the text to use.", expected: "at least 1",
    valueName: "n")
  /// Whether every tensor that differs is listed.
  public let tensors = Setting("tensors", false, "List every tensor that differs.")

  /// The declarations.
  public static let keys = DiffKeys()

  public static let rules: [SettingRule<DiffKeys>] = [
    SettingRule(\.tokens, "not together with --text") { $0.tokens.isEmpty || $0.text == nil }
  ]
}
