public import TensorTypes

/// Where the norms of a layer stand; f is its mixer or its feed-forward part.
public enum NormPlacement: String, Sendable, CaseIterable {
  /// h += f(norm h).
  case before = "pre"
  /// h += norm(f(h)).
  case after = "post"
  /// h += norm'(f(norm h)).
  case both

  /// Whether there is a norm in front of f.
  public var isBefore: Bool { self != .after }
  /// Whether there is a norm behind f.
  public var isAfter: Bool { self != .before }
}

/// What the gate of a feed-forward part passes through: down(activation(gate x) · up x).
public enum Activation: String, Sendable, CaseIterable {
  /// x / (1 + exp(-x)).
  case silu
  /// x · Φ(x), Φ the normal distribution.
  case gelu
  /// The same with 1/2 + tanh(√(2/π) · (x + 0.044715 x³)) / 2 in the place of Φ.
  case geluTanh = "gelu_tanh"
}

/// Which norms q and k pass right after their projections.
public enum QueryKeyNorm: String, Sendable, CaseIterable {
  /// None.
  case none
  /// Each head by itself, with weights [d] for all heads.
  case perHead = "per_head"
  /// All channels together, with weights [heads·d] and [kv·d].
  case whole
}

/// Constant factors of a decoder; 1 where a model has none.
public struct Multipliers: Sendable, Equatable {
  /// Of the embedding, before the first layer.
  public var embedding = 1.0
  /// Of what a mixer or a feed-forward part adds to the residual stream, after its norm if it has one.
  public var residual = 1.0
  /// Of the scores of softmax attention; nil for d^-1/2.
  public var scores: Double?
  /// Of the logits, before they are capped.
  public var logits = 1.0

  /// No factors.
  public init() {}
}

/// Soft caps: x becomes cap · tanh(x / cap); nil where a model has none.
public struct SoftCaps: Sendable, Equatable {
  /// Of the scores of softmax attention, before masking.
  public var scores: Double?
  /// Of the logits.
  public var logits: Double?

  /// No caps.
  public init() {}
}

/// How the softmax attention of one layer turns q and k.
public enum LayerRotary: Sendable, Equatable {
  /// As the model says.
  case shared
  /// Not at all.
  case none
  /// With parameters of its own.
  case own(RotaryParameters)
}

extension ModelDescription {
  /// The rotary embedding of layer `layer`; nil when it has none.
  public func rotary(ofLayer layer: Int) -> RotaryParameters? {
    switch layers[layer].rotary {
    case .shared: rotary
    case .none: nil
    case .own(let parameters): parameters
    }
  }

  /// Whether q and k pass a norm right after their projections.
  public var hasQueryKeyNorm: Bool { queryKeyNorm != .none }

  /// Whether the norm of `role` multiplies by 1 + its stored weight; those that conversions add do not.
  public func addsOne(_ role: TensorAddress.Role) -> Bool {
    switch role {
    case .mixerNorm, .ffnNorm, .mixerPostNorm, .ffnPostNorm, .queryNorm, .keyNorm, .finalNorm:
      normsAddOne
    default: false
    }
  }

  /// The same model as a plain decoder: norms in front, with weights as they are stored, SiLU, no
  /// factors, no caps, and every channel turned alike in all layers.
  ///
  /// What differs from it is what a form cannot hold that knows nothing of these.
  public var plainDecoder: ModelDescription {
    var plain = self
    plain.normPlacement = .before
    plain.normsAddOne = false
    plain.activation = .silu
    plain.multipliers = Multipliers()
    plain.softCaps = SoftCaps()
    plain.rotary.channels = nil
    if rotary.isNew { plain.rotary = RotaryParameters(theta: rotary.theta) }
    for layer in plain.layers.indices { plain.layers[layer].rotary = .shared }
    if queryKeyNorm == .whole { plain.queryKeyNorm = .none }
    return plain
  }
}
