/// How a model's activations become spikes (SpikingBrain report, section 3.3): a k for every
/// projection whose input is spiked, and what else is quantised.
public struct SpikingSettings: Sendable, Equatable {
  /// How counts are meant to be sent over virtual steps; changes no number the model computes.
  public var coding: Coding
  /// How softmax layers keep keys and values.
  public var cache: Cache
  /// The share of the channels that every down_proj reads of a token, those with the largest
  /// magnitudes; the others are 0. nil for all.
  public var winners: Double?
  /// The layers, first to last.
  public var layers: [Layer]

  /// Settings for the layers of a model.
  public init(
    coding: Coding = .bitwise, cache: Cache = .float32, winners: Double? = nil, layers: [Layer]
  ) {
    self.coding = coding
    self.cache = cache
    self.winners = winners
    self.layers = layers
  }

  /// How many of `channels` activations stay before `projection`, at least one; nil where all do.
  public func winners(before projection: Projection, of channels: Int) -> Int? {
    guard projection == .ffnDown, let winners else { return nil }
    return max(1, Int((winners * Double(channels)).rounded(.toNearestOrEven)))
  }

  /// Codings of a count over virtual steps.
  public enum Coding: String, Sendable, CaseIterable {
    /// Bits of the magnitude, each with the sign of the count (bidirectional).
    case bitwise
    /// One spike of the count's sign per unit.
    case ternary
    /// One spike per unit; counts must not be negative.
    case binary
    /// Bits of the two's complement.
    case twosComplement = "twos-complement"
  }

  /// What a key or value is stored as.
  public enum Cache: String, Sendable, CaseIterable {
    /// As it is.
    case float32
    /// Per token and head, integers from -127 to 127 and their factor, largest magnitude / 127.
    case int8
  }

  /// What can be spiked in a layer, by its name in a configuration.
  public enum Projection: String, Sendable, CaseIterable {
    case query = "q_proj", key = "k_proj", value = "v_proj", output = "o_proj"
    /// The decay gate of a linear layer: its merged matrix, or the first of two.
    case decayGate = "gk_proj"
    case ffnGate = "gate_proj", ffnUp = "up_proj", ffnDown = "down_proj"
    /// Not a projection: the rotated queries of softmax attention, each head by itself.
    case rotatedQuery = "rotated_query"

    /// Whether it is part of an expert.
    public var isFeedForward: Bool { self == .ffnGate || self == .ffnUp || self == .ffnDown }
  }

  /// A k for each projection; nil where the input stays as it is.
  public struct Thresholds: Sendable, Equatable {
    // By `Projection.index`.
    private var values = [Double?](repeating: nil, count: Projection.allCases.count)

    /// Nothing is spiked.
    public init() {}

    /// The k of `projection`.
    public subscript(projection: Projection) -> Double? {
      get { values[projection.index] }
      set { values[projection.index] = newValue }
    }

    /// The projections that have a k.
    public var spiked: [Projection] { Projection.allCases.filter { self[$0] != nil } }
  }

  /// One layer.
  public struct Layer: Sendable, Equatable {
    /// The layer's projections; of a layer with experts, what those without their own use.
    public var thresholds: Thresholds
    /// Each routed expert's own values, nil for the layer's; empty when none has its own.
    public var experts: [Thresholds?]
    /// The shared expert's own values; nil for the layer's.
    public var sharedExpert: Thresholds?

    /// A layer.
    public init(
      _ thresholds: Thresholds = .init(), experts: [Thresholds?] = [],
      sharedExpert: Thresholds? = nil
    ) {
      self.thresholds = thresholds
      self.experts = experts
      self.sharedExpert = sharedExpert
    }
  }
}

extension SpikingSettings.Projection {
  fileprivate var index: Int {
    switch self {
    case .query: 0
    case .key: 1
    case .value: 2
    case .output: 3
    case .decayGate: 4
    case .ffnGate: 5
    case .ffnUp: 6
    case .ffnDown: 7
    case .rotatedQuery: 8
    }
  }
}
