import Architectures
package import Kernels
import Mixers
package import Runtime

/// One layer with its weights, applied to a text a segment at a time: each from an empty state, or
/// from that after the sinks.
package struct StreamedLayer {
  /// The layer as the runtime knows it.
  package let runner: LayerRunner
  /// The sinks before every segment as they leave the layer [n, H].
  package let sinks: FloatMatrix
  private let segments: Segments
  private let start: MixerState
  private let angles: RotaryTable?

  /// Layer `index` of `model`.
  ///
  /// - Parameters:
  ///   - stream: what enters the layer, for the sinks before it; nil for none.
  ///   - observer: shown what every projection reads.
  package init(
    _ index: Int, of model: DescribedModel, on segments: Segments,
    after stream: HiddenStream? = nil,
    observer: (any SpikingObserver)? = nil
  ) throws {
    try RuntimeError.requireLength(segments.length, within: model.description.longestText)
    self.segments = segments
    runner = LayerRunner(
      weights: try LayerWeights(
        index, of: model.description, from: model.weights, observer: observer),
      model: model.description)
    sinks = try stream?.sinks() ?? FloatMatrix(rows: 0, columns: model.description.hiddenSize)
    start = try runner.start(ofLayer: index, after: sinks)
    angles = RotaryEmbedding(model.description, layer: index)?
      .table(first: sinks.rows, count: segments.length)
  }

  /// What is known of the tokens of a segment.
  package func passage(_ segment: Int) -> Passage {
    var passage = Passage(position: 0)
    passage.tokens = Array(segments[segment])
    return passage
  }

  /// Adds what attention gives to the stream of a segment, and keeps the output of o_proj in `target`.
  package func attend(
    _ hidden: FloatMatrix, _ segment: Int, keepingIn target: HiddenStream? = nil
  ) throws {
    var state = start
    guard
      let output = try runner.attention(hidden, state: &state, position: 0, angles: angles)
    else { return }
    try target?.write(output, at: segments.range(of: segment).lowerBound)
    hidden.add(runner.finished(attention: output))
  }

  /// Adds the feed-forward part to the stream of a segment after attention.
  package func feedForward(_ hidden: FloatMatrix, _ segment: Int) throws {
    try runner.feedForward(hidden, passage: passage(segment))
  }

  /// Takes the stream of a segment through the layer, in place; keeps the output of o_proj in
  /// `target`.
  package func run(
    _ hidden: FloatMatrix, _ segment: Int, keepingIn target: HiddenStream? = nil
  ) throws {
    try attend(hidden, segment, keepingIn: target)
    try feedForward(hidden, segment)
  }

  /// Drops the mapped pages of the layer's weights.
  package func discardWeights() { runner.weights.discard() }
}
