package import Architectures
package import Kernels

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

  /// Applies the layer in place: h += attn(norm h); h += mlp(norm h).
  ///
  /// - Parameters:
  ///   - hidden: the residual stream [T, H] of the next T tokens.
  ///   - state: what the layer remembers; updated.
  ///   - position: the first token's position.
  ///   - angles: rotary angles of those positions.
  package func run(
    _ hidden: FloatMatrix, state: inout DecodingState.MixerState, position: Int,
    angles: RotaryTable
  ) {
    if let mixed = attention(hidden, state: &state, position: position, angles: angles) {
      hidden.add(mixed)
    }
    feedForward(hidden)
  }

  /// The output of the attention block, o_proj included, before it is added [T, H]; nil when it is
  /// switched off.
  package func attention(
    _ hidden: FloatMatrix, state: inout DecodingState.MixerState, position: Int,
    angles: RotaryTable
  ) -> FloatMatrix? {
    mix(normed(hidden), state: &state, position: position, angles: angles).map {
      weights.output($0)
    }
  }

  /// Adds the feed-forward part: h += mlp(norm h).
  package func feedForward(_ hidden: FloatMatrix) {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: weights.ffnNorm, epsilon: model.normEpsilon, into: normed)
    let gate = weights.ffnGate(normed)
    gate.gateUp(weights.ffnUp(normed))
    hidden.add(weights.ffnDown(gate))
  }

  /// What the mixer reads: the stream after its norm [T, H].
  package func normed(_ hidden: FloatMatrix) -> FloatMatrix {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: weights.mixerNorm, epsilon: model.normEpsilon, into: normed)
    return normed
  }

  /// The heads' outputs [T, heads·d], or nil when the mixer is switched off.
  private func mix(
    _ input: FloatMatrix, state: inout DecodingState.MixerState, position: Int,
    angles: RotaryTable
  ) -> FloatMatrix? {
    switch state {
    case .linear(var memory):
      var resets: Int?
      if case .state(let every) = ablation { resets = every }
      // Emptied first, or the buffer would be copied on its first write.
      state = .linear([])
      defer { state = .linear(memory) }
      return GatedLinearMixer(weights: weights, model: model)(
        input, state: &memory, position: position, resets: resets)
    case .attention(var cache):
      let softmax = SoftmaxMixer(
        weights: weights, model: model, rotary: angles, windowKeys: cache.windowKeys)
      state = .linear([])
      defer { state = .attention(cache) }
      let output = softmax(input, cache: &cache)
      return ablation == .attention ? nil : output
    }
  }
}
