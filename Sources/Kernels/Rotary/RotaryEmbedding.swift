import Foundation

/// Rotary position embedding, half-split pairs (`rotate_half`): channel i turns with channel
/// i + d/2 by position · inverseFrequencies[i]. Further channels of a head stay as they are.
public struct RotaryEmbedding: Sendable, Hashable {
  /// Channels per head that are rotated; even.
  public let dimension: Int
  /// Channels per head in memory, `dimension` or more.
  public let headDimension: Int
  /// Radians per position [d/2].
  public let inverseFrequencies: [Float]
  /// What cosines and sines are multiplied by, and so the channels that turn.
  public let magnitude: Float

  /// Frequencies theta^(-2i/d), scaled; computed in float32 steps as transformers does. Heads have
  /// `headDimension` channels; nil for d.
  public init(
    dimension: Int, of headDimension: Int? = nil, theta: Double, scaling: RotaryScaling = .none,
    magnitude: Float = 1
  ) {
    let headDimension = headDimension ?? dimension
    precondition(dimension > 0 && dimension % 2 == 0 && dimension <= headDimension)
    self.dimension = dimension
    self.headDimension = headDimension
    self.magnitude = magnitude
    let powers = (0..<dimension / 2).map { i in
      let exponent = Float(2 * i) / Float(dimension)
      return Float(pow(theta, Double(exponent)))
    }
    inverseFrequencies = scaling.frequencies(powers, theta: theta)
  }

  /// Frequencies as a checkpoint states them [d/2].
  public init(inverseFrequencies: [Float]) {
    dimension = 2 * inverseFrequencies.count
    headDimension = dimension
    magnitude = 1
    self.inverseFrequencies = inverseFrequencies
  }

  /// Cosines and sines of `count` positions from `first` on; share it between layers.
  public func table(first: Int, count: Int) -> RotaryTable {
    RotaryTable(self, first: first, count: count)
  }
}
