public import Architectures

/// Everything a model remembers of the tokens it has read: one state per layer.
///
/// A value: copies are independent, so a state can be kept and continued twice.
public struct DecodingState: Sendable {
  /// Tokens read so far; the next token's position.
  public internal(set) var position = 0
  package var layers: [MixerState]

  /// The memory of one layer.
  package enum MixerState: @unchecked Sendable {
    /// Keys and values of a softmax layer.
    case attention(KeyValueCache)
    /// One d × d state per key/value head of a linear layer: [kv, d, d].
    case linear([Float])
    /// Both, of a layer with parallel branches.
    case parallel(KeyValueCache, [Float])

    /// What linear attention remembers; nil without it.
    var memory: [Float]? {
      switch self {
      case .attention: nil
      case .linear(let memory), .parallel(_, let memory): memory
      }
    }
  }

  /// The empty state of `model`.
  public init(for model: ModelDescription) {
    let memory = [Float](
      repeating: 0, count: model.keyValueHeads * model.headDim * model.headDim)
    layers = model.layers.map { layer in
      let cache = KeyValueCache(
        windowKeys: layer.mixer.windowKeys, width: model.keyValueWidth,
        sinkCount: model.sinkCount,
        codedHeads: model.spiking?.cache == .int8 ? model.keyValueHeads : nil)
      return switch layer.mixer {
      case .full, .window: .attention(cache)
      case .gatedLinear: .linear(memory)
      case .parallel: .parallel(cache, memory)
      }
    }
  }

  /// Bytes of memory held.
  public var byteCount: Int {
    layers.reduce(0) { total, layer in
      switch layer {
      case .attention(let cache): total + cache.byteCount
      case .linear(let state): total + state.count * MemoryLayout<Float>.stride
      case .parallel(let cache, let state):
        total + cache.byteCount + state.count * MemoryLayout<Float>.stride
      }
    }
  }

  /// The numbers of each layer, for saving: [kv·d·d] of a linear layer; keys then values of a
  /// softmax layer, in order of position, the sinks' first; both, the state first, of a layer with
  /// parallel branches.
  public var saved: [[Float]] {
    layers.map { layer in
      switch layer {
      case .attention(let cache): cache.saved
      case .linear(let state): state
      case .parallel(let cache, let state): state + cache.saved
      }
    }
  }

  /// Most tokens that a saved state can have read: beyond them float32 knows no single positions,
  /// which rotary angles are computed from.
  public static let mostTokens = 1 << 24

  /// How many numbers `saved` has for each layer of `model` after `position` tokens.
  public static func savedCounts(of model: ModelDescription, position: Int) -> [Int] {
    DecodingState(for: model).layers.map { layer in
      switch layer {
      case .attention(let cache): cache.savedCount(position: position)
      case .linear(let state): state.count
      case .parallel(let cache, let state): state.count + cache.savedCount(position: position)
      }
    }
  }

  /// The state that `saved` and `position` described; nil when they do not fit `model`.
  public init?(for model: ModelDescription, saved: [[Float]], position: Int) {
    guard (0...Self.mostTokens).contains(position),
      saved.map(\.count) == Self.savedCounts(of: model, position: position)
    else { return nil }
    self.init(for: model)
    self.position = position
    for (index, numbers) in saved.enumerated() {
      switch layers[index] {
      case .attention(var cache):
        guard cache.restore(numbers, position: position) else { return nil }
        layers[index] = .attention(cache)
      case .linear:
        layers[index] = .linear(numbers)
      case .parallel(var cache, let state):
        guard cache.restore(Array(numbers[state.count...]), position: position) else { return nil }
        layers[index] = .parallel(cache, Array(numbers[..<state.count]))
      }
    }
  }
}
