import Architectures
import Kernels

/// Gated linear attention (SpikingBrain report, section 2.1): ReLU features, no rotary embedding,
/// per-channel decay, per-head output norm.
struct GatedLinearMixer {
  /// Divides the log-sigmoid of the gate (`gate_logit_normalizer`).
  static let gateNormalizer: Float = 16

  let weights: LayerWeights
  let model: ModelDescription

  /// The heads' outputs [T, heads·d] for the normed inputs [T, H] of the next T tokens.
  ///
  /// - Parameters:
  ///   - state: [kv, d, d], updated.
  ///   - resets: when the state is emptied; nil never.
  func callAsFunction(
    _ input: FloatMatrix, state: inout [Float], resets: StateResets?
  ) throws -> FloatMatrix {
    let projected = try ProjectedHeads(input, weights: weights, model: model)
    Vector.reluInPlace(projected.query.pointer, count: projected.query.count)
    Vector.reluInPlace(projected.key.pointer, count: projected.key.count)
    let output = LinearRecurrence(
      query: projected.query, key: projected.key, value: projected.value, logDecay: try gate(input)
    ).run(model, state: &state, resets: resets)
    if let norm = weights.outputNorm {
      output.normalizeHeads(by: norm, epsilon: model.normEpsilon)
    }
    return output
  }

  /// Log-decay per token, key/value head and channel: logsigmoid(z) / 16 [T, kv·d].
  private func gate(_ input: FloatMatrix) throws -> FloatMatrix {
    guard let gate = weights.gate else { preconditionFailure("a linear layer has a gate") }
    let logits = try gate.high(gate.low.map { try $0(input) } ?? input)
    DecayGate.logDecayInPlace(
      logits.pointer, count: logits.count, normalizer: Self.gateNormalizer)
    return logits
  }
}
