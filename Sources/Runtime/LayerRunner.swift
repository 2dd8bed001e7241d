import Architectures
import Kernels

/// One layer with its weights, ready to be applied to the residual stream.
struct LayerRunner {
  let weights: LayerWeights
  let model: ModelDescription
  let ablation: Ablation?

  /// Applies the layer in place: h += attn(norm h); h += mlp(norm h).
  ///
  /// - Parameters:
  ///   - hidden: the residual stream [T, H] of the next T tokens.
  ///   - state: what the layer remembers; updated.
  ///   - position: the first token's position.
  ///   - angles: rotary angles of those positions.
  func run(
    _ hidden: FloatMatrix, state: inout DecodingState.MixerState, position: Int,
    angles: RotaryTable
  ) {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: weights.mixerNorm, epsilon: model.normEpsilon, into: normed)
    if let mixed = mix(normed, state: &state, position: position, angles: angles) {
      hidden.add(weights.output(mixed))
    }
    hidden.normalizeRows(by: weights.ffnNorm, epsilon: model.normEpsilon, into: normed)
    let gate = weights.ffnGate(normed)
    gate.gateUp(weights.ffnUp(normed))
    hidden.add(weights.ffnDown(gate))
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
