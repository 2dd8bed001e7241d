import Architectures
import Kernels
import Runtime

/// A layer applied to the stream of a whole text, a segment at a time, each from an empty state.
struct LayerPass {
  let layer: Int
  let segments: Segments
  let runner: LayerRunner
  private let angles: RotaryTable

  init(
    _ layer: Int, of model: ModelDescription, weights: LayerWeights, segments: Segments
  ) {
    self.layer = layer
    self.segments = segments
    runner = LayerRunner(weights: weights, model: model)
    angles = RotaryEmbedding(model).table(first: 0, count: segments.length)
  }

  /// The attention output of a segment [T, H]; nil when the layer has none.
  func attention(_ hidden: FloatMatrix) throws -> FloatMatrix? {
    var state = DecodingState(for: runner.model).layers[layer]
    return try runner.attention(hidden, state: &state, position: 0, angles: angles)
  }

  /// Takes a stream through the layer's attention.
  ///
  /// Returns the massive tokens of what leaves it.
  func attend(_ stream: HiddenStream, to middle: HiddenStream) throws -> MassiveTokens {
    var massive = MassiveTokens(segments)
    for segment in 0..<segments.count {
      let first = segments.firstToken(of: segment)
      let hidden = try stream.read(first, count: segments.length)
      if let output = try attention(hidden) { hidden.add(output) }
      massive.add(hidden, at: first)
      try middle.write(hidden, at: first)
    }
    return massive
  }

  /// Takes some segments of a stream through the layer.
  func advance(_ chosen: Range<Int>, of stream: HiddenStream, to next: HiddenStream) throws {
    for segment in chosen {
      let first = segments.firstToken(of: segment)
      let hidden = try stream.read(first, count: segments.length)
      if let output = try attention(hidden) { hidden.add(output) }
      try runner.feedForward(hidden)
      try next.write(hidden, at: first)
    }
  }

  /// Takes a source's stream through the layer, keeping its attention output in `attention`.
  ///
  /// Returns the massive tokens of what leaves the layer, in the segments of this process.
  func advance(
    _ stream: HiddenStream, to next: HiddenStream, attention target: HiddenStream? = nil
  ) throws -> MassiveTokens {
    var massive = MassiveTokens(segments)
    for segment in segments.own {
      let first = segments.firstToken(of: segment)
      let hidden = try stream.read(first, count: segments.length)
      if let output = try attention(hidden) {
        try target?.write(output, at: first)
        hidden.add(output)
      }
      try runner.feedForward(hidden)
      massive.add(hidden, at: first)
      try next.write(hidden, at: first)
    }
    return massive
  }

  /// Drops the mapped pages of the layer's weights.
  func discardWeights() { runner.weights.discard() }
}
