public import Architectures
public import Kernels
public import Mixers
public import TensorTypes

/// A model ready to run: one forward pass for source models and converted ones alike.
///
/// Activations and accumulation are f32; matrices are used where they lie, in their stored type.
/// Reading tokens in one go or one by one gives the same numbers within rounding, because both go
/// through `extend`.
public struct Model: Sendable {
  /// Tokens that pass through the layers together; longer inputs go in pieces of this many, so
  /// that memory does not depend on the length of the text.
  public static let segment = 512

  /// Which weights stay in memory.
  public enum Residency: Sendable {
    /// All: fastest, for models that fit.
    case whole
    /// One layer at a time, or one block of rows when a layer takes more than half of the bytes:
    /// mapped pages are dropped after use.
    case bounded(bytes: Int)
  }

  /// What the model is.
  public let description: ModelDescription
  /// A part switched off, if any.
  public var ablation: Ablation?

  /// The longest text that it can read, in tokens; nil for any length.
  public let longestText: Int?

  let residency: Residency
  private let observer: (any SpikingObserver)?
  private let source: any WeightSource
  /// What the layers remember of the sinks, computed when it is first needed.
  private let sinks = SinkMemory()
  /// The layers' weights; empty when they are loaded for each use.
  private let loaded: [LayerWeights]
  let embedding: EmbeddingRows
  let finalNorm: [Float]
  let head: LinearMap
  let rotary: ModelRotary

  /// The model of `description` with the weights of `source`.
  public init(
    _ description: ModelDescription, weights source: any WeightSource,
    residency: Residency = .whole
  ) throws {
    try self.init(description, weights: source, residency: residency, observer: nil)
  }

  /// The same; `observer` is shown what every projection reads.
  package init(
    _ description: ModelDescription, weights source: any WeightSource, residency: Residency,
    observer: (any SpikingObserver)?
  ) throws {
    self.description = description
    longestText = description.longestText
    self.residency = residency
    self.observer = observer
    self.source = source
    var bounded = false
    if case .bounded = residency { bounded = true }
    embedding = try EmbeddingRows(source, model: description, dropsPages: bounded)
    loaded =
      bounded
      ? []
      : try description.layers.indices.map {
        try LayerWeights($0, of: description, from: source, observer: observer)
      }
    finalNorm = try source.norm(TensorAddress(.finalNorm), of: description)
    head = try .head(of: description, from: source, dropsPages: bounded)
    rotary = ModelRotary(description)
  }

  /// Reads `tokens` and returns the final hidden states [T, H], normed and ready for the head.
  ///
  /// - Parameters:
  ///   - tokens: ids below the vocabulary size.
  ///   - state: what was read before; updated.
  ///   - lastOnly: returns the state of the last token alone [1, H], so that memory does not grow with
  ///     the text.
  ///   - stepwise: passes the tokens through each layer one by one, as decoding does.
  ///   - observe: called with the residual stream [t, H] entering each layer and, with the layer
  ///     count as layer, leaving the last one; once per segment, with the segment's first token.
  ///   - observeRouting: called with where the tokens of each segment or step are sent in each
  ///     layer that has experts.
  public func extend(
    _ state: inout DecodingState, with tokens: [Int], lastOnly: Bool = false,
    stepwise: Bool = false,
    observe: ((_ layer: Int, _ firstToken: Int, _ hidden: FloatMatrix) throws -> Void)? = nil,
    observeRouting: ((_ layer: Int, _ routing: Routing) -> Void)? = nil
  ) throws -> FloatMatrix {
    try RuntimeError.requireLength(state.position + tokens.count, within: longestText)
    let kept = lastOnly ? min(1, tokens.count) : tokens.count
    let result = FloatMatrix(rows: kept, columns: description.hiddenSize)
    var done = 0
    while done < tokens.count {
      let count = min(Model.segment, tokens.count - done)
      let hidden = try embedding.rows(tokens[done..<done + count])
      if state.position == 0, description.sinkCount > 0 { state.layers = try sinkStates() }
      let emptied = try emptiedStates()
      let first = description.sinkCount + state.position
      let angles = rotary.tables(first: first, count: count)
      for layer in description.layers.indices {
        try observe?(layer, done, hidden)
        let weights = try weights(ofLayer: layer)
        let runner = LayerRunner(weights: weights, model: description, ablation: ablation)
        var passage = Passage(position: state.position)
        passage.emptyMemory = emptied?[layer].memory
        if let observeRouting { passage.observeRouting = { observeRouting(layer, $0) } }
        if stepwise {
          for row in 0..<count {
            passage.position = state.position + row
            passage.tokens = [tokens[done + row]]
            try runner.run(
              hidden.rows(row..<row + 1), state: &state.layers[layer], passage: passage,
              angles: rotary.tables(first: first + row, count: 1)[layer])
          }
        } else {
          passage.tokens = Array(tokens[done..<done + count])
          try runner.run(
            hidden, state: &state.layers[layer], passage: passage, angles: angles[layer])
        }
        if case .bounded = residency { weights.discard() }
      }
      try observe?(description.layers.count, done, hidden)
      if !lastOnly {
        let rows = result.rows(done..<done + count)
        hidden.normalizeRows(by: finalNorm, epsilon: description.normEpsilon, into: rows)
      } else if done + count == tokens.count {
        hidden.rows(count - 1..<count)
          .normalizeRows(by: finalNorm, epsilon: description.normEpsilon, into: result)
      }
      state.position += count
      done += count
    }
    if result.rows > 0 { state.last = Array(result.elements.suffix(result.columns)) }
    return result
  }

  /// What `Ablation.state` makes of the layers' states; nil for zeros.
  func emptiedStates() throws -> [MixerState]? {
    guard case .state = ablation, description.sinkCount > 0 else { return nil }
    return try sinkStates()
  }

  /// Continues the first tokens of a text in layer `layer`, which `hidden` [T, H] enters and which
  /// is changed; returns the final hidden states [T, H], normed and ready for the head.
  ///
  /// - Parameters:
  ///   - tokens: their ids, at most `segment`.
  ///   - last: the last layer to pass through, with its output then not normed; nil for all.
  ///   - stepwise: passes the tokens through each layer one by one.
  package func resume(
    _ hidden: FloatMatrix, at layer: Int, through last: Int? = nil, tokens: [Int],
    stepwise: Bool = false
  ) throws -> FloatMatrix {
    try RuntimeError.requireLength(tokens.count, within: longestText)
    var layers = DecodingState(for: description).layers
    if description.sinkCount > 0 { layers = try sinkStates() }
    let depth = description.layers.count, sinkCount = description.sinkCount
    let step = stepwise ? 1 : tokens.count
    for layer in layer..<(last.map { $0 + 1 } ?? depth) {
      let weights = try weights(ofLayer: layer)
      let runner = LayerRunner(weights: weights, model: description, ablation: ablation)
      for first in stride(from: 0, to: tokens.count, by: step) {
        let rows = first..<min(first + step, tokens.count)
        var passage = Passage(position: first)
        passage.tokens = Array(tokens[rows])
        try runner.run(
          hidden.rows(rows), state: &layers[layer], passage: passage,
          angles: rotary.tables(first: sinkCount + first, count: rows.count)[layer])
      }
      if case .bounded = residency { weights.discard() }
    }
    guard last == nil else { return hidden }
    let result = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: finalNorm, epsilon: description.normEpsilon, into: result)
    return result
  }

  /// The layers' states after the sinks, which see nothing but each other.
  func sinkStates() throws -> [MixerState] {
    try sinks.states(under: ablation) {
      let hidden = embedding.sinks.copy
      return try description.layers.indices.map { layer in
        let weights = try weights(ofLayer: layer)
        defer { if case .bounded = residency { weights.discard() } }
        return try LayerRunner(weights: weights, model: description, ablation: ablation)
          .start(ofLayer: layer, after: hidden)
      }
    }
  }

  /// Logits [1, V] of the token after those that `state` has read; nil when it has read none.
  func logits(after state: DecodingState) throws -> FloatMatrix? {
    guard !state.last.isEmpty else { return nil }
    return try logits(FloatMatrix(state.last, rows: 1), rows: 0..<1)
  }

  /// Logits [rows, V] of some rows of the final hidden states; throws when they are not finite.
  public func logits(_ hidden: FloatMatrix, rows: Range<Int>) throws -> FloatMatrix {
    let logits = try head(hidden.rows(rows))
    logits.finishLogits(of: description)
    return logits
  }

  func weights(ofLayer layer: Int) throws -> LayerWeights {
    guard case .bounded(let bytes) = residency else { return loaded[layer] }
    let weights = try LayerWeights(layer, of: description, from: source, observer: observer)
    if weights.byteCount <= bytes / 2 { return weights }
    return try LayerWeights(
      layer, of: description, from: source, dropsPages: true, observer: observer)
  }
}
