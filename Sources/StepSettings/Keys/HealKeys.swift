import Architectures

/// What `heal` may be told.
public typealias HealSettings = Settings<HealKeys>

/// The settings of `heal`.
public struct HealKeys: SettingKeys {
  /// Calibration texts, in order.
  public let text = Setting.texts("Calibration texts.", isRequired: true)
  /// Tokens of the texts that are used.
  public let tokens = Setting.tokens(131_072)
  /// Tokens per segment; each starts from an empty state.
  public let context = Setting.context(512, "Tokens per segment.")
  /// The sliding window of the healed model; nil keeps that of the checkpoint.
  public let window = Setting<Int?>(
    "window", none: "keep", "Sliding window of the healed model; keep: the checkpoint's.",
    expected: "keep or 1 to \(Configuration.largestDimension)", valueName: "tokens"
  ) { (1...Configuration.largestDimension).contains($0) }
  /// Which parts of the refit are run.
  public let method = Setting("method", HealMethod.both, "How each layer is refitted.")
  /// Gradient steps per layer; nil for a usual number, or what fits a time limit.
  public let steps = Setting<Int?>(
    "steps", none: "auto",
    "Gradient steps per layer; auto: 1600, or as many as --time-limit allows and the text is good for.",
    expected: "auto or 0 or more"
  ) { (0...1 << 24).contains($0) }
  /// Segments per gradient step: many small steps heal better than few large ones of the same cost.
  public let batch = Setting("batch", 1, in: 1...65_536, "Segments per gradient step.")
  /// Peak learning rate of the projections; gates and norms learn four times as fast.
  public let learningRate = Setting(
    "learning-rate", 2.5e-3, "Peak learning rate of the projections.", expected: "more than 0, to 1"
  ) { $0 > 0 && $0 <= 1 }
  /// Where the biases of the decay gates start: -3 is a memory of about 5 tokens.
  public let gateBias = Setting(
    "gate-bias", -3.0, in: Limits.gateBias, "Where the biases of the decay gates start.",
    expected: "-1000 to 1000")
  /// Weight of a segment's first token, which carries the attention sink.
  public let sinkWeight = Setting(
    "sink-weight", 32.0, "Weight of the first token, which carries the attention sink.",
    expected: "more than 0, to 1e6"
  ) { $0 > 0 && $0 <= 1e6 }
  /// Seed of the batches.
  public let seed = Setting.seed("Seed of the batches.")
  /// Gradient steps of the second stage, which trains all layers together towards the source's
  /// logits; 0 leaves it out, nil does what a time limit leaves.
  public let distillSteps = Setting<Int?>(
    "distill-steps", none: "auto",
    """
    Gradient steps of a second stage, which trains through the whole model towards the source's logits; \
    auto: 0, or as many as --time-limit leaves.
    """, expected: "auto or 0 or more"
  ) { (0...1 << 24).contains($0) }
  /// Segments per gradient step of the second stage.
  public let distillBatch = Setting(
    "distill-batch", 1, in: 1...65_536, "Segments per gradient step of the second stage.")
  /// Peak learning rate of the second stage.
  public let distillLearningRate = Setting(
    "distill-learning-rate", 5e-4, "Peak learning rate of the second stage.",
    expected: "more than 0, to 1"
  ) { $0 > 0 && $0 <= 1 }
  /// What the second stage trains.
  public let distillScope = Setting(
    "distill-scope", DistillScope.linear,
    """
    What the second stage trains: linear attention, all attention, the experts' down projections, or all \
    of attention and feed-forward parts.
    """
  )
  /// What matrix products round their operands to.
  public let precision = Setting(
    "precision", ProductPrecision.bfloat16,
    "What matrix products round their operands to, where the processor gains from it.")
  /// Most minutes to spend; gradient steps are shortened to fit.
  public let timeLimit = Setting<Double?>(
    "time-limit", none: "none",
    "Most minutes to spend: gradient steps are shortened to fit; what cannot fit is refused.",
    expected: "more than 0 minutes",
    valueName: "minutes", isRecorded: false
  ) { $0 > 0 }

  /// The declarations.
  public static let keys = HealKeys()

  public static let rules: [SettingRule<HealKeys>] = [
    SettingRule(\.method, "ridge, gradient or both, or distill-steps") {
      $0.method != .none || $0.distillSteps ?? ($0.timeLimit == nil ? 0 : 1) > 0
    },
    SettingRule(
      \.timeLimit, "none with method none and distill-steps, which say how long the second stage is"
    ) { $0.method != .none || $0.timeLimit == nil || $0.distillSteps == nil },
  ]
}

/// How converted layers are refitted.
public enum HealMethod: String, Sendable, CaseIterable, SettingValue {
  /// The closed form for the output projection only.
  case ridge
  /// Gradients only.
  case gradient
  /// The closed form, gradients, and the closed form again.
  case both
  /// No refit layer by layer: the second stage alone.
  case none
}

/// What the matrix products of streams and gradients round their operands to; sums and closed
/// forms stay float32.
public enum ProductPrecision: String, Sendable, CaseIterable, SettingValue {
  /// bfloat16 where the processor multiplies it faster, about twice as fast.
  case bfloat16
  /// Nothing.
  case float32
}

/// What the second stage of healing trains.
public enum DistillScope: String, Sendable, CaseIterable, SettingValue {
  /// Linear attention.
  case linear
  /// All attention, softmax included.
  case attention
  /// The down projections of experts.
  case experts
  /// All attention, and the projections of feed-forward parts and experts.
  case all
}
