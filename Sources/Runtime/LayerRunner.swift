package import Architectures
package import Kernels
package import Mixers

/// One layer with its weights, ready to be applied to the residual stream.
package struct LayerRunner {
  package let weights: LayerWeights
  package let model: ModelDescription
  let ablation: Ablation?

  package init(weights: LayerWeights, model: ModelDescription, ablation: Ablation? = nil) {
    self.weights = weights
    self.model = model
    self.ablation = ablation
  }

  /// Applies the layer in place: h += attn(norm h); h += mlp(norm h), each with the norms and the
  /// factor that the model has.
  ///
  /// - Parameters:
  ///   - hidden: the residual stream [T, H] of the next T tokens.
  ///   - state: what the layer remembers; updated.
  ///   - position: the first token's position.
  ///   - angles: rotary angles of those positions; nil for a layer without.
  package func run(
    _ hidden: FloatMatrix, state: inout MixerState, position: Int,
    angles: RotaryTable?
  ) throws {
    try run(hidden, state: &state, passage: Passage(position: position), angles: angles)
  }

  /// The same for tokens of which more is known.
  package func run(
    _ hidden: FloatMatrix, state: inout MixerState, passage: Passage,
    angles: RotaryTable?
  ) throws {
    let input = normed(hidden)
    if let mixed = try mix(input, state: &state, passage: passage, angles: angles) {
      hidden.add(finished(attention: try weights.output(mixed)))
    }
    try feedForward(hidden, passage: passage)
  }

  /// Applies the layer in place to the next token of each of several texts, which are the rows of
  /// `hidden` [texts, H]: the weights are read once for all.
  func step(
    _ hidden: FloatMatrix, states: inout [DecodingState], passages: [Passage],
    angles: [RotaryTable?]
  ) throws {
    let input = normed(hidden)
    let heads = try weights.projections(of: input, epsilon: model.normEpsilon)
    let mixed = FloatMatrix(rows: hidden.rows, columns: heads.query.columns)
    var isSwitchedOff = false
    for (text, passage) in passages.enumerated() {
      let row = text..<text + 1
      if let output = try weights.mixer.mix(
        heads.rows(row), input: input.rows(row), state: &states[text].layers[weights.index],
        pass: pass(passage, angles: angles[text]))
      {
        mixed.copyRows(of: output, to: text)
      } else {
        isSwitchedOff = true
      }
    }
    if !isSwitchedOff { hidden.add(finished(attention: try weights.output(mixed))) }
    try feedForward(
      hidden, offsets: passages.flatMap { $0.offsets(count: 1, sinkCount: model.sinkCount) })
  }

  /// What layer `layer`, which this one is, remembers when a text begins: nothing, or the sinks
  /// [n, H] that enter it and are taken through it in place.
  package func start(
    ofLayer layer: Int, after sinks: FloatMatrix
  ) throws -> MixerState {
    var state = MixerState(model.layers[layer].mixer, in: model.mixing)
    guard sinks.rows > 0 else { return state }
    try run(
      sinks, state: &state, passage: Passage(position: 0, areSinks: true),
      angles: RotaryEmbedding(model, layer: layer)?.table(first: 0, count: sinks.rows))
    return state
  }

  /// The output of o_proj [T, H], before what follows it; nil when attention is switched off.
  package func attention(
    _ hidden: FloatMatrix, state: inout MixerState, position: Int,
    angles: RotaryTable?
  ) throws -> FloatMatrix? {
    try mix(normed(hidden), state: &state, passage: Passage(position: position), angles: angles)
      .map { try weights.output($0) }
  }

  /// What attention adds to the stream [T, H] by the output of o_proj, which it overwrites.
  package func finished(attention output: FloatMatrix) -> FloatMatrix {
    finished(output, norm: weights.mixerPostNorm)
  }

  /// What the feed-forward part adds to the stream [T, H] by its own output, which it overwrites.
  package func finished(feedForward output: FloatMatrix) -> FloatMatrix {
    finished(output, norm: weights.ffnPostNorm)
  }

  /// What a part adds to the stream: its output after the norm behind it and the model's factor.
  private func finished(_ output: FloatMatrix, norm: [Float]?) -> FloatMatrix {
    if let norm { output.normalizeRows(by: norm, epsilon: model.normEpsilon, into: output) }
    output.scale(by: model.multipliers.residual)
    return output
  }

  /// Adds the feed-forward part: h += mlp(norm h); throws when the stream then holds what the next
  /// norm cannot square.
  package func feedForward(
    _ hidden: FloatMatrix, passage: Passage = Passage(position: 0)
  ) throws {
    try feedForward(
      hidden, offsets: passage.offsets(count: hidden.rows, sinkCount: model.sinkCount),
      observe: passage.observeRouting)
  }

  /// - Parameter offsets: token id + position of each row, see `Routing`.
  private func feedForward(
    _ hidden: FloatMatrix, offsets: @autoclosure () -> [Int], observe: ((Routing) -> Void)? = nil
  ) throws {
    let input = ffnInput(hidden), output: FloatMatrix
    switch weights.feedForward {
    case .dense(let dense): output = try dense(input)
    case .experts(let experts):
      output = try ExpertMixture(weights: experts)(input, offsets: offsets(), observe: observe)
    }
    hidden.add(finished(feedForward: output))
    if hidden.firstTooLarge != nil {
      throw RuntimeError.overflow(place: "in the residual stream after layer \(weights.index)")
    }
  }

  /// What the mixer reads: the stream after its norm [T, H].
  package func normed(_ hidden: FloatMatrix) -> FloatMatrix {
    normed(hidden, by: weights.mixerNorm)
  }

  /// What the feed-forward part reads: the stream after its norm [T, H].
  package func ffnInput(_ hidden: FloatMatrix) -> FloatMatrix {
    normed(hidden, by: weights.ffnNorm)
  }

  /// The stream after a norm in front of a part; the stream itself where there is none.
  private func normed(_ hidden: FloatMatrix, by weight: [Float]) -> FloatMatrix {
    guard !weight.isEmpty else { return hidden }
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: weight, epsilon: model.normEpsilon, into: normed)
    return normed
  }

  /// The heads' outputs [T, heads·d], or nil when the mixer is switched off.
  private func mix(
    _ input: FloatMatrix, state: inout MixerState, passage: Passage, angles: RotaryTable?
  ) throws -> FloatMatrix? {
    let heads = try weights.projections(of: input, epsilon: model.normEpsilon)
    return try weights.mixer.mix(
      heads, input: input, state: &state, pass: pass(passage, angles: angles))
  }

  private func pass(_ passage: Passage, angles: RotaryTable?) -> MixerPass {
    MixerPass(
      angles: angles, position: passage.position, areSinks: passage.areSinks,
      ablation: ablation, emptyMemory: passage.emptyMemory)
  }
}
