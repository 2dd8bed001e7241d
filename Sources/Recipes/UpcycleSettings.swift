public import TensorTypes

/// What `upcycle` may be told, by a recipe or on the command line.
public struct UpcycleSettings: Sendable, Equatable {
  /// Routed experts N.
  public var experts = 16
  /// Shared experts S, which every token passes through.
  public var shared = 1
  /// Routed experts k that a token passes through.
  public var topK = 1
  /// Layers whose feed-forward part stays dense; nil for those of the report that the model has.
  public var denseLayers: LayerSelection?
  /// Width of the shared expert when dense parts are carved: the rest of their neurons is divided
  /// evenly among the routed experts. Nil for copies.
  public var carve: Int?
  /// How the copies are scaled, so that together they do what the dense part did.
  public var scale = Scale.exact
  /// How the routers start.
  public var router = Router.zero
  /// The element type of the output.
  public var dtype = ConvertSettings.OutputType.keep
  /// Most bytes of tensors in one file.
  public var shardSize = ByteSize(5_000_000_000)
  /// Largest difference of logits that the router may cause, relative to the largest logit.
  public var tolerance = 1e-4
  /// Seed of random routers and of clusters.
  public var seed: UInt64 = 0
  /// Texts on which clusters are found and experts refitted, or neurons are watched; empty for
  /// other routers.
  public var text: [String] = []
  /// Tokens of the texts that are used.
  public var tokens = 65_536
  /// Tokens per segment of the texts; each starts from an empty state.
  public var context = 512

  /// The defaults: 16 + 1 experts as in SpikingBrain-76B, function-preserving.
  public init() {}

  /// The layers that stay dense in SpikingBrain-76B.
  public static let reportDenseLayers = [0, 1, 2, 4, 6, 8, 10]

  /// How copies are scaled.
  public enum Scale: String, Sendable, CaseIterable {
    /// down_proj alone by 1/(S + k/N): exact when all experts are equally likely.
    case exact
    /// gate, up and down by the cube root of that, as the report does; SiLU makes it approximate.
    case cuberoot
  }

  /// How routers start.
  public enum Router: Sendable, Equatable, CustomStringConvertible {
    /// All experts equally likely; tokens are spread by id and position.
    case zero
    /// Seeded random weights of this standard deviation.
    case random(Double)
    /// Each expert gets a region of what its layer reads in a text.
    case clustered

    /// Parses `zero`, `clustered` or `random:STD`; nil for anything else.
    public init?(parsing text: String) {
      switch text {
      case "zero": self = .zero
      case "clustered": self = .clustered
      default: self.init(random: text)
      }
    }

    private init?(random text: String) {
      guard text.hasPrefix("random:"), let deviation = Double(text.dropFirst(7)),
        deviation > 0, deviation <= 1000
      else { return nil }
      self = .random(deviation)
    }

    /// `zero`, `clustered` or `random:0.02`.
    public var description: String {
      switch self {
      case .zero: "zero"
      case .clustered: "clustered"
      case .random(let deviation): "random:\(deviation)"
      }
    }
  }

  /// What determines the output, key by key in a fixed order: as the manifest records it.
  public var fields: [(key: String, value: String)] {
    let copying = [("scale", scale.rawValue), ("router", "\(router)")]
    return [
      ("experts", "\(experts)"), ("shared", "\(shared)"), ("top-k", "\(topK)"),
      ("dense-layers", denseLayers.map { "\($0)" } ?? "report"),
    ] + (carve.map { [("carve", "\($0)")] } ?? copying) + [
      ("dtype", dtype.rawValue), ("shard-size", "\(shardSize.bytes)"), ("seed", "\(seed)"),
    ] + (readsText ? [("tokens", "\(tokens)"), ("context", "\(context)")] : [])
  }

  /// Whether the result depends on a text.
  public var readsText: Bool { router == .clustered || carve != nil }

  /// The sum of the routed experts' weights of a token: k/N with even routers, and nearly 1 when
  /// the router is sure of its choice.
  public var routedWeight: Double {
    router == .clustered ? 1 : Double(topK) / Double(max(experts, 1))
  }

  /// Parses `report` (nil) or a selection of layers; nil for anything else.
  public static func denseLayers(parsing text: String) -> LayerSelection?? {
    if text == "report" { return .some(nil) }
    if text.hasPrefix("auto") { return nil }
    return LayerSelection(parsing: text).map { .some($0) }
  }
}

extension UpcycleSettings {
  /// Throws when a value is out of range; `place` says where each key was given.
  public func validate(at place: (String) -> RecipeError.Place) throws(RecipeError) {
    let limits: [(isValid: Bool, key: String, value: String, expected: String)] = [
      ((1...4096).contains(experts), "experts", "\(experts)", "1 to 4096"),
      ((0...64).contains(shared), "shared", "\(shared)", "0 to 64"),
      ((1...max(experts, 1)).contains(topK), "top-k", "\(topK)", "1 to \(experts), the experts"),
      (shardSize.bytes > 0, "shard-size", "\(shardSize.bytes)", "a size like 5GB"),
      (tolerance >= 0 && tolerance.isFinite, "tolerance", "\(tolerance)", "0 or more"),
      ((1...1 << 32).contains(tokens), "tokens", "\(tokens)", "1 or more"),
      ((2...1 << 20).contains(context), "context", "\(context)", "2 to 1048576"),
      (
        readsText || text.isEmpty, "text", text.joined(separator: ","),
        "none: only router clustered and carve read a text"
      ),
      (
        (1...1 << 28).contains(carve ?? 1), "carve", "\(carve ?? 0)",
        "1 or more neurons for the shared expert"
      ),
      (
        carve == nil || shared == 1, "shared", "\(shared)",
        "1 with carve, which is the width of the shared expert"
      ),
      (
        carve == nil || scale == .exact, "scale", scale.rawValue,
        "exact with carve, which scales nothing"
      ),
      (
        carve == nil || router == .zero, "router", "\(router)",
        "none with carve, which makes its own"
      ),
      (
        router != .clustered || topK == 1, "top-k", "\(topK)",
        "1 with router clustered, which sends a token to one region"
      ),
    ]
    for limit in limits where !limit.isValid {
      throw .wrongValue(
        key: limit.key, value: limit.value, expected: limit.expected, place: place(limit.key))
    }
  }

  /// Throws when files are missing that the settings need.
  public func validateFiles(at place: (String) -> RecipeError.Place) throws(RecipeError) {
    guard readsText, text.isEmpty else { return }
    throw .wrongValue(
      key: "text", value: "missing",
      expected: carve == nil
        ? "at least one file: router clustered finds its regions on it"
        : "at least one file: carve watches the neurons on it", place: place("text"))
  }

  /// The settings that `fields` recorded, for example in a manifest.
  public init(fields: [String: String], file: String) throws(RecipeError) {
    var reader = try RecipeReader(recorded: fields, file: file)
    try self.init(&reader)
    try reader.finish()
  }
}

extension UpcycleSettings: RecipeStep {
  static let key = "upcycle"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    func whole(_ text: String) -> Int? { Int(text) }
    experts = try reader.value("experts", default: experts, expected: "1 to 4096", parse: whole)
    shared = try reader.value("shared", default: shared, expected: "0 to 64", parse: whole)
    topK = try reader.value("top-k", default: topK, expected: "1 or more", parse: whole)
    denseLayers = try reader.value(
      "dense-layers", default: denseLayers, expected: "report, none or a list of layers",
      parse: Self.denseLayers)
    carve = try reader.value("carve", default: carve, expected: "1 or more") { Int($0) }
    scale = try reader.value("scale", default: scale, expected: Scale.choices) {
      Scale(rawValue: $0)
    }
    router = try reader.value(
      "router", default: router, expected: "zero, clustered or random:STD",
      parse: Router.init(parsing:))
    dtype = try reader.value(
      "dtype", default: dtype, expected: ConvertSettings.OutputType.choices
    ) { ConvertSettings.OutputType(rawValue: $0) }
    shardSize = try reader.value("shard-size", default: shardSize, expected: "a size like 5GB") {
      ByteSize(parsing: $0)
    }
    tolerance = try reader.value("tolerance", default: tolerance, expected: "0 or more") {
      Double($0)
    }
    seed = try reader.value("seed", default: seed, expected: "a whole number") { UInt64($0) }
    text = try reader.texts("text") ?? []
    tokens = try reader.positive("tokens", default: tokens)
    context = try reader.positive("context", default: context)
    let places = reader
    try validate(at: places.place)
    if !reader.isRecorded { try validateFiles(at: places.place) }
  }
}
