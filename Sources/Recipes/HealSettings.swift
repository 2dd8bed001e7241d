/// What `heal` may be told, by a recipe or on the command line.
public struct HealSettings: Sendable, Equatable {
  /// Calibration texts, in order.
  public var text: [String] = []
  /// Tokens of the texts that are used.
  public var tokens = 131_072
  /// Tokens per segment; each starts from an empty state.
  public var context = 512
  /// The sliding window of the healed model; nil keeps that of the checkpoint.
  public var window: Int?
  /// Which parts of the refit are run.
  public var method = Method.both
  /// Gradient steps per layer.
  public var steps = 400
  /// Segments per gradient step.
  public var batch = 4
  /// Peak learning rate of the projections; gates and norms learn four times as fast.
  public var learningRate = 5e-3
  /// Where the biases of the decay gates start: -3 is a memory of about 5 tokens.
  public var gateBias = -3.0
  /// Weight of a segment's first token, which carries the attention sink.
  public var sinkWeight = 32.0
  /// Gradient steps of the second stage, which trains all layers together towards the source's
  /// logits; 0 leaves it out.
  public var distillSteps = 0
  /// Peak learning rate of the second stage.
  public var distillLearningRate = 1e-3
  /// What the second stage trains.
  public var distillScope = DistillScope.linear
  /// What matrix products round their operands to.
  public var precision = Precision.bfloat16
  /// Most minutes to spend; gradient steps are shortened to fit.
  public var timeLimit: Double?
  /// Seed of the batches.
  public var seed: UInt64 = 0

  /// The defaults.
  public init() {}

  /// How converted layers are refitted.
  public enum Method: String, Sendable, CaseIterable {
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
  public enum Precision: String, Sendable, CaseIterable {
    /// bfloat16 where the processor multiplies it faster, about twice as fast.
    case bfloat16
    /// Nothing.
    case float32
  }

  /// What the second stage trains.
  public enum DistillScope: String, Sendable, CaseIterable {
    /// Linear attention.
    case linear
    /// All attention, softmax included.
    case attention
    /// The down projections of experts.
    case experts
  }
}

extension HealSettings {
  /// Throws when a value is out of range; `place` says where each key was given.
  public func validate(at place: (String) -> RecipeError.Place) throws(RecipeError) {
    let limits: [(isValid: Bool, key: String, value: String, expected: String)] = [
      ((1...1 << 32).contains(tokens), "tokens", "\(tokens)", "1 or more"),
      ((2...1 << 20).contains(context), "context", "\(context)", "2 to 1048576"),
      (
        ConvertSettings.windows.contains(window ?? 1), "window", "\(window ?? 0)",
        "1 to \(ConvertSettings.windows.upperBound)"
      ),
      ((0...1 << 24).contains(steps), "steps", "\(steps)", "0 or more"),
      ((1...1 << 16).contains(batch), "batch", "\(batch)", "1 to 65536"),
      (learningRate > 0 && learningRate <= 1, "learning-rate", "\(learningRate)", "0 to 1"),
      (
        ConvertSettings.gateBiases.contains(gateBias), "gate-bias", "\(gateBias)", "-1000 to 1000"
      ),
      (
        sinkWeight > 0 && sinkWeight <= 1e6, "sink-weight", "\(sinkWeight)", "more than 0, to 1e6"
      ),
      (
        method != .none || distillSteps > 0, "method", "none",
        "ridge, gradient or both, or distill-steps"
      ),
      ((0...1 << 24).contains(distillSteps), "distill-steps", "\(distillSteps)", "0 or more"),
      (
        distillLearningRate > 0 && distillLearningRate <= 1, "distill-learning-rate",
        "\(distillLearningRate)", "0 to 1"
      ),
      (
        method != .none || timeLimit == nil, "time-limit", "\(timeLimit ?? 0)",
        "none with method none: distill-steps say how long the second stage is"
      ),
      (timeLimit ?? 1 > 0, "time-limit", "\(timeLimit ?? 0)", "more than 0 minutes"),
      (!text.isEmpty, "text", "missing", "at least one file"),
    ]
    for limit in limits where !limit.isValid {
      throw .wrongValue(
        key: limit.key, value: limit.value, expected: limit.expected, place: place(limit.key))
    }
  }

  /// Every setting that determines the result, in a fixed order.
  public var fields: [(key: String, value: String)] {
    [
      ("tokens", "\(tokens)"), ("context", "\(context)"),
      ("window", window.map { "\($0)" } ?? "keep"), ("method", method.rawValue),
      ("steps", "\(steps)"), ("batch", "\(batch)"), ("learning-rate", "\(learningRate)"),
      ("gate-bias", "\(gateBias)"), ("sink-weight", "\(sinkWeight)"), ("seed", "\(seed)"),
      ("distill-steps", "\(distillSteps)"),
      ("distill-learning-rate", "\(distillLearningRate)"),
      ("distill-scope", distillScope.rawValue), ("precision", precision.rawValue),
    ]
  }
}

extension HealSettings: RecipeStep {
  static let key = "heal"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    text = try reader.texts("text") ?? []
    tokens = try reader.positive("tokens", default: tokens)
    context = try reader.positive("context", default: context)
    window = try reader.value("window", default: window, expected: "an integer") { Int($0) }
    method = try reader.value("method", default: method, expected: Method.choices) {
      Method(rawValue: $0)
    }
    steps = try reader.value("steps", default: steps, expected: "0 or more") { Int($0) }
    batch = try reader.positive("batch", default: batch)
    learningRate = try reader.positive("learning-rate", default: learningRate)
    gateBias = try reader.value("gate-bias", default: gateBias, expected: "a number") {
      Double($0).flatMap { $0.isFinite ? $0 : nil }
    }
    sinkWeight = try reader.positive("sink-weight", default: sinkWeight)
    distillSteps = try reader.value(
      "distill-steps", default: distillSteps, expected: "0 or more"
    ) { Int($0) }
    distillLearningRate = try reader.positive(
      "distill-learning-rate", default: distillLearningRate)
    distillScope = try reader.value(
      "distill-scope", default: distillScope, expected: DistillScope.choices
    ) { DistillScope(rawValue: $0) }
    precision = try reader.value(
      "precision", default: precision, expected: Precision.choices
    ) { Precision(rawValue: $0) }
    timeLimit = try reader.value("time-limit", default: timeLimit, expected: "minutes") {
      Double($0).flatMap { $0 > 0 ? .some($0) : nil }
    }
    seed = try reader.value("seed", default: seed, expected: "a whole number") { UInt64($0) }
    let places = reader
    try validate(at: places.place)
  }
}

extension RecipeReader {
  /// A positive whole number.
  mutating func positive(_ key: String, default fallback: Int) throws(RecipeError) -> Int {
    try value(key, default: fallback, expected: "a positive whole number") {
      Int($0).flatMap { $0 > 0 ? $0 : nil }
    }
  }

  /// A positive number.
  mutating func positive(_ key: String, default fallback: Double) throws(RecipeError) -> Double {
    try value(key, default: fallback, expected: "a positive number") {
      Double($0).flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
    }
  }
}
