import Architectures
import Kernels

/// Gated linear attention (SpikingBrain report, section 2.1): ReLU features, no rotary embedding,
/// per-channel decay, per-head output norm.
struct GatedLinearMixer {
  /// Divides the log-sigmoid of the gate (`gate_logit_normalizer`).
  static let gateNormalizer: Float = 16
  /// Below this many tokens the recurrence is used instead of chunks.
  static let shortestChunk = 16

  let weights: LayerWeights
  let model: ModelDescription

  /// The heads' outputs [T, heads·d] for the normed inputs [T, H] of the next T tokens.
  ///
  /// - Parameters:
  ///   - state: [kv, d, d], updated.
  ///   - resets: empties the state before every token whose position is a multiple of it, to
  ///     measure what the memory is worth; nil never.
  func callAsFunction(
    _ input: FloatMatrix, state: inout [Float], position: Int, resets: Int?
  ) -> FloatMatrix {
    let tokens = input.rows
    let projected = ProjectedHeads(input, weights: weights, model: model)
    Elementwise.relu(projected.query.elements)
    Elementwise.relu(projected.key.elements)
    let logDecay = gate(input)
    let output = FloatMatrix(rows: tokens, columns: model.queryWidth)
    state.withUnsafeMutableBufferPointer { state in
      guard let base = state.baseAddress else { return }
      var done = 0
      while done < tokens {
        var run = tokens - done
        if let resets {
          if (position + done) % resets == 0 { state.update(repeating: 0) }
          run = min(run, resets - (position + done) % resets)
        }
        let offset = (query: done * model.queryWidth, key: done * model.keyValueWidth)
        let step = run < Self.shortestChunk
          ? GatedLinearAttention.recurrent : GatedLinearAttention.chunked
        step(
          .init(
            tokens: run, heads: model.heads, keyValueHeads: model.keyValueHeads,
            headDim: model.headDim),
          projected.query.pointer + offset.query, projected.key.pointer + offset.key,
          projected.value.pointer + offset.key, logDecay.pointer + offset.key, base,
          output.pointer + offset.query)
        done += run
      }
    }
    if let norm = weights.outputNorm {
      RMSNorm.apply(
        output.pointer, weight: norm, epsilon: model.normEpsilon, rows: tokens * model.heads,
        columns: model.headDim, output: output.pointer)
    }
    return output
  }

  /// Log-decay per token, key/value head and channel: logsigmoid(z) / 16 [T, kv·d].
  private func gate(_ input: FloatMatrix) -> FloatMatrix {
    guard let gate = weights.gate else { preconditionFailure("a linear layer has a gate") }
    let logits = gate.high(gate.low.map { $0(input) } ?? input)
    Elementwise.logDecay(logits.elements, normalizer: Self.gateNormalizer)
    return logits
  }
}
