public import Architectures
package import Mixers

/// Everything a model remembers of the tokens it has read: one state per layer.
///
/// A value: copies are independent, so a state can be kept and continued twice.
public struct DecodingState: Sendable {
  /// Tokens read so far; the next token's position.
  public internal(set) var position = 0
  package var layers: [MixerState]
  /// The final hidden state of the last token read [H], from which the next one is predicted; empty
  /// before the first.
  package internal(set) var last: [Float] = []

  /// The empty state of `model`.
  public init(for model: ModelDescription) {
    let mixing = model.mixing
    layers = model.layers.map { MixerState($0.mixer, in: mixing) }
  }

  /// Bytes of memory held.
  public var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

  /// The numbers of each layer, for saving: [kv·d·d] of a linear layer; keys then values of a
  /// softmax layer, in order of position, the sinks' first; both, the state first, of a layer with
  /// parallel branches.
  public var saved: [[Float]] { layers.map(\.saved) }

  /// Most tokens that a saved state can have read: beyond them float32 knows no single positions,
  /// which rotary angles are computed from.
  public static let mostTokens = 1 << 24

  /// How many numbers `saved` has for each layer of `model` after `position` tokens.
  public static func savedCounts(of model: ModelDescription, position: Int) -> [Int] {
    DecodingState(for: model).layers.map { $0.savedCount(position: position) }
  }

  /// The state that `saved` and `position` described; nil when they do not fit `model`.
  public init?(for model: ModelDescription, saved: [[Float]], last: [Float] = [], position: Int) {
    self.init(for: model)
    self.last = last
    guard (0...Self.mostTokens).contains(position), saved.count == layers.count else { return nil }
    self.position = position
    for (layer, numbers) in saved.enumerated() {
      guard layers[layer].restore(numbers, position: position) else { return nil }
    }
  }
}
