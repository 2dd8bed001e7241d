/// What a healing found, as manifests record it.
public struct HealRecord: Sendable, Codable {
  /// Tokens of the text.
  public var tokens: Int?
  /// What is known of every layer.
  public var layers: [Healer.LayerReport]
  /// The second stage, if there was one.
  public var distillation: Healer.DistillReport?

  /// What both stages found.
  public init(
    tokens: Int, layers: [Healer.LayerReport], distillation: Healer.DistillReport?
  ) {
    self.tokens = tokens
    self.layers = layers
    self.distillation = distillation
  }
}

/// What a refit of experts found, as manifests record it.
public struct ExpertFitRecord: Sendable, Codable {
  /// Tokens of the text.
  public var tokens: Int?
  /// What is known of every layer.
  public var layers: [ExpertFitter.LayerReport]
  /// Held-out divergence from the teacher in nats per token, with copies and with refitted experts; nil
  /// where there was no teacher.
  public var before: Double?
  public var after: Double?
  /// Whether the refitted experts were taken.
  public var kept: Bool?

  enum CodingKeys: String, CodingKey {
    case tokens, layers, kept
    case before = "kl_before"
    case after = "kl_after"
  }

  /// What the fit found.
  public init(
    tokens: Int, layers: [ExpertFitter.LayerReport], before: Double?, after: Double?, kept: Bool?
  ) {
    (self.tokens, self.layers) = (tokens, layers)
    (self.before, self.after, self.kept) = (before, after, kept)
  }
}

/// What a carving found, as manifests record it.
public struct CarvingRecord: Sendable, Codable {
  /// Tokens of the text.
  public var tokens: Int
  /// What is known of every layer that was carved.
  public var layers: [ExpertCarver.LayerReport]

  /// What the carving found of all layers; those that stay dense are left out.
  public init(tokens: Int, layers: [ExpertCarver.LayerReport]) {
    (self.tokens, self.layers) = (tokens, layers.filter { !$0.neurons.isEmpty })
  }

  /// By layer, the neurons in the order of their owners.
  public var neurons: [Int: [Int]] {
    Dictionary(layers.map { ($0.layer, $0.neurons) }) { $1 }
  }

  /// The order of members.
  public static let order =
    ["tokens", "layers"] + ExpertCarver.LayerReport.CodingKeys.allCases.map(\.rawValue)
}

extension Healer.LayerReport {
  enum CodingKeys: String, CodingKey {
    case layer, steps, drift, sink, seconds
    case before = "error_before"
    case afterRidge = "error_after_ridge"
    case after = "error_after"
    case linearShare = "linear_share"
    case massiveTokens = "massive_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    layer = try values.decode(Int.self, forKey: .layer)
    steps = try values.decodeIfPresent(Int.self, forKey: .steps) ?? 0
    before = try values.decodeIfPresent(Double.self, forKey: .before)
    afterRidge = try values.decodeIfPresent(Double.self, forKey: .afterRidge)
    after = try values.decodeIfPresent(Double.self, forKey: .after)
    linearShare = try values.decodeIfPresent(Double.self, forKey: .linearShare)
    drift = try values.decodeIfPresent(Double.self, forKey: .drift)
    sink = try values.decodeIfPresent(Double.self, forKey: .sink)
    massiveTokens = try values.decodeIfPresent(Int.self, forKey: .massiveTokens)
    seconds = try values.decodeIfPresent(Double.self, forKey: .seconds) ?? 0
  }
}

extension Healer.DistillReport: Codable {
  enum CodingKeys: String, CodingKey {
    case steps, seconds, kept
    case before = "kl_before"
    case after = "kl_after"
  }

  /// Whether its result was taken.
  public var kept: Bool { after < before }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    steps = try values.decode(Int.self, forKey: .steps)
    before = try values.decode(Double.self, forKey: .before)
    after = try values.decode(Double.self, forKey: .after)
    seconds = try values.decodeIfPresent(Double.self, forKey: .seconds) ?? 0
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(steps, forKey: .steps)
    try values.encode(before, forKey: .before)
    try values.encode(after, forKey: .after)
    try values.encode(kept, forKey: .kept)
    try values.encode(seconds, forKey: .seconds)
  }
}

extension ExpertCarver.LayerReport {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case layer
    case tokens = "tokens_per_expert"
    case error
    case fixedError = "error_of_fixed_neurons"
    case neurons, seconds
  }
}

extension ExpertFitter.LayerReport {
  enum CodingKeys: String, CodingKey {
    case layer, drift, sink, seconds
    case tokens = "tokens_per_expert"
    case before = "error_before"
    case after = "error_after"
    case few = "too_few_tokens"
    case kept = "not_better"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    layer = try values.decode(Int.self, forKey: .layer)
    tokens = try values.decodeIfPresent([Int].self, forKey: .tokens) ?? []
    before = try values.decodeIfPresent(Double.self, forKey: .before)
    after = try values.decodeIfPresent(Double.self, forKey: .after)
    few = try values.decodeIfPresent([Int].self, forKey: .few) ?? []
    kept = try values.decodeIfPresent([Int].self, forKey: .kept) ?? []
    drift = try values.decodeIfPresent(Double.self, forKey: .drift)
    sink = try values.decodeIfPresent(Double.self, forKey: .sink)
    seconds = try values.decodeIfPresent(Double.self, forKey: .seconds) ?? 0
  }
}
