public import Architectures
public import TensorTypes

/// What `convert` may be told, by a recipe or on the command line.
public struct ConvertSettings: Sendable, Equatable {
  /// The target layout.
  public var layout = Layout.interLayer
  /// Layers that keep sliding-window attention; all others become gated linear attention.
  public var attentionLayers = LayerSelection.odd
  /// Layers that keep full attention; they are not counted among `attentionLayers`. Nil for those
  /// of the report: none between layers, every seventh within layers.
  public var fullAttentionLayers: LayerSelection?
  /// The sliding window W.
  public var window = 4096
  /// Whether the current token counts among the W.
  public var windowRule = Mixer.WindowRule.report
  /// Bias of the decay gate: 0 gives every channel a memory of about 23 tokens.
  public var gateBias = 0.0
  /// The element type of the output.
  public var dtype = OutputType.keep
  /// Most bytes of tensors in one file.
  public var shardSize = ByteSize(5_000_000_000)
  /// Seed of the new gate matrices.
  public var seed: UInt64 = 0
  /// Texts by which `attentionLayers` is measured when it is `auto`; otherwise empty.
  public var text: [String] = []
  /// Tokens of the texts that are used.
  public var tokens = 16_384
  /// Tokens per segment of the texts.
  public var context = 512
  /// What the intra-layer layout has besides.
  public var intraLayer = IntraLayerSettings()

  /// The defaults: the public 7B layout.
  public init() {}

  /// A target layout.
  public enum Layout: String, Sendable, CaseIterable {
    /// Linear and softmax layers in turn, as SpikingBrain-7B.
    case interLayer = "inter-layer"
    /// Linear and softmax attention side by side in every layer, as SpikingBrain-76B.
    case intraLayer = "intra-layer"
  }

  /// The element type of written tensors.
  public enum OutputType: String, Sendable, CaseIterable {
    /// Each tensor's own type; quantised tensors become bfloat16.
    case keep
    case bfloat16, float16, float32

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

  /// Every key that decides the result with its value, in a fixed order: the recipe as the manifest
  /// records it, once the layers are known.
  public var fields: [(key: String, value: String)] {
    [
      ("layout", layout.rawValue), ("attention-layers", "\(attentionLayers)"),
      ("full-attention-layers", fullAttentionLayers.map { "\($0)" } ?? "report"),
      ("window", "\(window)"),
      ("window-rule", windowRule.rawValue), ("gate-bias", "\(gateBias)"), ("dtype", dtype.rawValue),
      ("shard-size", "\(shardSize.bytes)"), ("seed", "\(seed)"),
    ] + (layout == .intraLayer ? intraLayer.fields : [])
  }
}

extension ConvertSettings {
  /// The range of the decay gates' bias: beyond it the decay no longer changes.
  public static let gateBiases = -1000.0...1000.0

  /// The range of sliding windows.
  static let windows = 1...Configuration.largestDimension

  /// Throws when a value is out of range; `place` says where each key was given.
  public func validate(at place: (String) -> RecipeError.Place) throws(RecipeError) {
    func check(
      _ isValid: Bool, _ key: String, _ value: String, _ expected: String
    ) throws(RecipeError) {
      guard isValid else {
        throw .wrongValue(key: key, value: value, expected: expected, place: place(key))
      }
    }
    try check(
      Self.windows.contains(window), "window", "\(window)", "1 to \(Self.windows.upperBound)")
    try check(
      Self.gateBiases.contains(gateBias), "gate-bias", "\(gateBias)", "-1000 to 1000")
    try check(shardSize.bytes > 0, "shard-size", "\(shardSize.bytes)", "a size like 5GB")
    try check(
      !attentionLayers.isAuto || !text.isEmpty, "text", "missing",
      "at least one file: \(attentionLayers) measures the layers on it")
    try check(
      attentionLayers.isAuto || text.isEmpty, "text", text.joined(separator: ","),
      "none: only attention-layers auto:N reads a text")
    try check((1...1 << 32).contains(tokens), "tokens", "\(tokens)", "1 or more")
    try check((2...1 << 20).contains(context), "context", "\(context)", "2 to 1048576")
    for limit in intraLayer.limits {
      try check(limit.isValid, limit.key, limit.value, limit.expected)
    }
    if layout == .intraLayer {
      try check(
        attentionLayers == .odd, "attention-layers", "\(attentionLayers)",
        "nothing with layout intra-layer, where every layer has both kinds of attention")
    } else {
      try check(
        intraLayer == IntraLayerSettings(), "layout", layout.rawValue,
        "intra-layer beside sinks and branch settings")
    }
  }

  /// The settings that `fields` recorded, for example in a manifest.
  public init(fields: [String: String], file: String) throws(RecipeError) {
    var reader = try RecipeReader(recorded: fields, file: file)
    try self.init(&reader)
    try reader.finish()
  }
}

extension ConvertSettings: RecipeStep {
  static let key = "convert"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    layout = try reader.value("layout", default: layout, expected: Layout.choices) {
      Layout(rawValue: $0)
    }
    attentionLayers = try reader.value(
      "attention-layers", default: attentionLayers,
      expected: "odd, none, auto:N or a list of layers", parse: LayerSelection.init(parsing:))
    fullAttentionLayers = try reader.value(
      "full-attention-layers", default: fullAttentionLayers, expected: "report or a list of layers",
      parse: Self.fullAttentionLayers)
    window = try reader.value("window", default: window, expected: "an integer") { Int($0) }
    windowRule = try reader.value(
      "window-rule", default: windowRule, expected: Mixer.WindowRule.choices
    ) { Mixer.WindowRule(rawValue: $0) }
    gateBias = try reader.value("gate-bias", default: gateBias, expected: "a number") { Double($0) }
    dtype = try reader.value("dtype", default: dtype, expected: OutputType.choices) {
      OutputType(rawValue: $0)
    }
    shardSize = try reader.value("shard-size", default: shardSize, expected: "a size like 5GB") {
      ByteSize(parsing: $0)
    }
    seed = try reader.value("seed", default: seed, expected: "a whole number") { UInt64($0) }
    text = try reader.texts("text") ?? []
    tokens = try reader.positive("tokens", default: tokens)
    context = try reader.positive("context", default: context)
    intraLayer = try IntraLayerSettings(&reader)
    let places = reader
    try validate(at: places.place)
  }
}

extension ConvertSettings {
  /// Parses `report` (nil) or a list of layers; nil for anything else.
  public static func fullAttentionLayers(parsing text: String) -> LayerSelection?? {
    if text == "report" { return .some(nil) }
    if text.hasPrefix("auto") { return nil }
    return LayerSelection(parsing: text).map { .some($0) }
  }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// The raw values as a sentence part: `a, b or c`.
  public static var choices: String {
    let names = allCases.map(\.rawValue)
    guard names.count > 1, let last = names.last else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }
}
