/// What `upcycle` may be told.
public typealias UpcycleSettings = Settings<UpcycleKeys>

/// The settings of `upcycle`; the defaults are 16 + 1 experts as in SpikingBrain-76B,
/// function-preserving.
public struct UpcycleKeys: SettingKeys {
  /// Routed experts N.
  public let experts = Setting("experts", 16, in: 1...4096, "Routed experts N per layer.")
  /// Shared experts S, which every token passes through.
  public let shared = Setting(
    "shared", 1, in: 0...64, "Shared experts, which every token passes through.")
  /// Routed experts k that a token passes through.
  public let topK = Setting(
    "top-k", 1, "Routed experts that a token passes through.", expected: "1 or more"
  ) { $0 >= 1 }
  /// Layers whose feed-forward part stays dense; nil for those of the paper that the model has.
  public let denseLayers = Setting<LayerSelection?>(
    "dense-layers", none: "report",
    "Layers that stay dense, 0-based: report (0,1,2,4,6,8,10), none, or a list.",
    expected: "report, none or a list such as 0,1,4-7", valueName: "layers"
  ) { !$0.isAuto }
  /// Width of the shared expert when dense parts are carved: the rest of their neurons is divided
  /// evenly among the routed experts. Nil for copies.
  public let carve = Setting<Int?>(
    "carve", none: "none",
    """
    Carve dense parts instead of copying them: this many of their neurons form the shared expert, \
    the others are divided evenly among the routed ones, by what they do on --text.
    """, expected: "1 or more neurons for the shared expert", valueName: "neurons"
  ) { (1...1 << 28).contains($0) }
  /// How the copies are scaled, so that together they do what the dense part did.
  public let scale = Setting(
    "scale", ExpertScale.exact,
    "exact: down_proj alone, changes nothing; cuberoot: gate, up and down, as the paper.")
  /// How the routers start.
  public let router = Setting(
    "router", RouterStart.zero,
    """
    How routers start: zero, random:STD, or clustered, which sends regions of --text to their experts.
    """)
  /// The element type of the output.
  public let dtype = Setting.dtype
  /// Most bytes of tensors in one file.
  public let shardSize = Setting.shardSize
  /// Seed of random routers and of clusters.
  public let seed = Setting.seed("Seed of random routers and of clusters.")
  /// Texts on which clusters are found and experts refitted, or neurons are watched; empty for
  /// other routers.
  public let text = Setting.texts(
    "Texts on which --router clustered finds regions, or --carve watches neurons.")
  /// Tokens of the texts that are used.
  public let tokens = Setting.tokens(65_536)
  /// Tokens per segment of the texts; each starts from an empty state.
  public let context = Setting.context(512)
  /// Largest difference of logits that the router may cause, relative to the largest logit.
  public let tolerance = Setting(
    "tolerance", 1e-4,
    "Largest difference of logits that the router may cause, relative to the largest logit.",
    expected: "0 or more", isRecorded: false
  ) { $0 >= 0 }

  /// The declarations.
  public static let keys = UpcycleKeys()

  public static let rules: [SettingRule<UpcycleKeys>] = [
    SettingRule(\.topK, saying: { "1 to \($0.experts), the experts" }) { $0.topK <= $0.experts },
    SettingRule(\.text, "none: only router clustered and carve read a text") {
      $0.readsText || $0.text.isEmpty
    },
    SettingRule(\.shared, "1 with carve, which is the width of the shared expert") {
      $0.carve == nil || $0.shared == 1
    },
    SettingRule(\.scale, "exact with carve, which scales nothing") {
      $0.carve == nil || $0.scale == .exact
    },
    SettingRule(\.router, "none with carve, which makes its own") {
      $0.carve == nil || $0.router == .zero
    },
    SettingRule(\.topK, "1 with router clustered, which sends a token to one region") {
      $0.router != .clustered || $0.topK == 1
    },
    SettingRule(
      \.text,
      saying: {
        $0.carve == nil
          ? "at least one file: router clustered finds its regions on it"
          : "at least one file: carve watches the neurons on it"
      }
    ) { !$0.readsText || !$0.text.isEmpty },
  ]

  /// The layers that stay dense in SpikingBrain-76B.
  public static let denseLayersOfPaper = [0, 1, 2, 4, 6, 8, 10]
}

extension UpcycleSettings {
  /// Whether the result depends on a text.
  public var readsText: Bool { self.router == .clustered || self.carve != nil }

  /// The sum of the routed experts' weights of a token: k/N with even routers, and nearly 1 when
  /// the router is sure of its choice.
  public var routedWeight: Double {
    self.router == .clustered ? 1 : Double(self.topK) / Double(max(self.experts, 1))
  }
}

/// How copies of a dense feed-forward part are scaled.
public enum ExpertScale: String, Sendable, CaseIterable, SettingValue {
  /// down_proj alone by 1/(S + k/N): exact when all experts are equally likely.
  case exact
  /// gate, up and down by the cube root of that, as the paper does; SiLU makes it approximate.
  case cuberoot
}

/// How routers start.
public enum RouterStart: Sendable, Equatable, SettingValue, CustomStringConvertible {
  /// All experts equally likely; tokens are spread by id and position.
  case zero
  /// Seeded random weights of this standard deviation.
  case random(Double)
  /// Each expert gets a region of what its layer reads in a text.
  case clustered

  public init?(spelling: String) {
    switch spelling {
    case "zero": self = .zero
    case "clustered": self = .clustered
    default:
      guard spelling.hasPrefix("random:"), let deviation = Double(spelling.dropFirst(7)),
        deviation > 0, deviation <= 1000
      else { return nil }
      self = .random(deviation)
    }
  }

  public var spelling: String {
    switch self {
    case .zero: "zero"
    case .clustered: "clustered"
    case .random(let deviation): "random:\(deviation)"
    }
  }

  public var description: String { spelling }

  public static let expected = "zero, clustered or random:STD with STD above 0, to 1000"
}
