import Mixers

/// Rotary position embeddings, half-split (`rotate_half`).
public struct RotaryParameters: Sendable, Equatable {
  /// The base of the frequencies: 1/theta^(2i/n), n the channels that turn.
  public var theta: Double
  /// How the frequencies are changed for long contexts.
  public var scaling: Scaling
  /// The first channels of a head, which turn; the others stay as they are. Even; nil for all.
  public var channels: Int?
  /// What the channels that turn are multiplied by, of q and of k.
  public var magnitude = 1.0
  /// The longest text that turns like this, in tokens: a longer one would turn otherwise from its
  /// first token on, and is refused. nil for any length.
  public var limit: Int?

  /// Parameters of unscaled or scaled rotary embeddings.
  public init(
    theta: Double, scaling: Scaling = .none, channels: Int? = nil, magnitude: Double = 1,
    limit: Int? = nil
  ) {
    self.theta = theta
    self.scaling = scaling
    self.channels = channels
    self.magnitude = magnitude
    self.limit = limit
  }

  /// A change of the frequencies for long contexts.
  public enum Scaling: Sendable, Equatable {
    case none
    /// All frequencies divided by the factor.
    case linear(factor: Double)
    /// Llama 3.1: low frequencies divided, high ones kept, a smooth ramp between.
    case llama3(factor: Double, low: Double, high: Double, originalPositions: Int)
    /// YaRN: frequencies that turn less than `slow` times in the original positions are divided, those
    /// that turn more than `fast` times are kept, a ramp between, from one whole index to another if it
    /// `truncates`.
    case yarn(factor: Double, fast: Double, slow: Double, truncates: Bool, originalPositions: Int)
    /// Explicit divisors of the frequencies [n/2], as GGUF files store them.
    case divisors([Float])
    /// Explicit factors of the wavelengths [n/2]: LongRoPE's short ones.
    case wavelengths([Float])
  }
}

extension ModelDescription {
  /// The longest text, in tokens, that this description holds for; nil for any length.
  public var longestText: Int? {
    let limits = layers.indices.compactMap { layer in
      layers[layer].mixer.isSoftmax ? rotary(ofLayer: layer)?.limit : nil
    }
    return limits.min().map { max(0, $0 - sinkCount) }
  }

  /// Lets rotary embeddings be what they are for texts of any length, where no layer looks further back
  /// than the length up to which they are: only distances count in them.
  ///
  /// Sinks are looked at from any distance.
  public mutating func liftRotaryLimits() {
    guard sinkCount == 0, let limit = longestText,
      layers.allSatisfy({ !$0.mixer.isSoftmax || $0.mixer.window.map { $0.keys <= limit } ?? false }
      )
    else { return }
    rotary.limit = nil
    for layer in layers.indices {
      guard case .own(var own) = layers[layer].rotary else { continue }
      own.limit = nil
      layers[layer].rotary = .own(own)
    }
  }
}
