import Architectures
import Kernels

/// Linear and softmax attention side by side on the same q, k and v (report, section 2.2).
///
/// The linear branch: q = sigmoid(q), k = sigmoid(k), decay 1 - k, no rotary embedding. Both
/// branches are normalised per head and added before the shared output projection.
struct ParallelMixer {
  let softmax: SoftmaxMixer
  let branches: LayerWeights.Branches

  /// The heads' outputs [T, heads·d] for the normed inputs [T, H] of the next T tokens.
  ///
  /// - Parameters:
  ///   - state: [kv, d, d], updated.
  ///   - resets: when the state is emptied; nil never.
  func callAsFunction(
    _ input: FloatMatrix, cache: inout KeyValueCache, state: inout [Float], resets: StateResets?,
    ablation: Ablation?
  ) throws -> FloatMatrix {
    let model = softmax.model
    let projected = try ProjectedHeads(input, weights: softmax.weights, model: model)
    // Softmax attention rotates q and k in place: the linear branch reads them before.
    let output = features(of: projected).run(model, state: &state, resets: resets)
    output.normalizeHeads(
      byEach: branches.linear, heads: model.heads, epsilon: model.branchNormEpsilon)
    let attended = softmax.attend(projected, cache: &cache)
    if ablation == .attention { return output }
    attended.normalizeHeads(
      byEach: branches.softmax, heads: model.heads, epsilon: model.branchNormEpsilon)
    if ablation == .linear { return attended }
    output.add(attended)
    return output
  }

  private func features(of projected: ProjectedHeads) -> LinearRecurrence {
    let query = projected.query.copy, key = projected.key.copy
    let logDecay = FloatMatrix(rows: key.rows, columns: key.columns)
    defer { withExtendedLifetime((query, key, logDecay)) {} }
    for index in 0..<key.count { logDecay.pointer[index] = -key.pointer[index] }
    // log(1 - sigmoid(z)) = logsigmoid(-z).
    DecayGate.logDecayInPlace(logDecay.pointer, count: logDecay.count, normalizer: 1)
    Sigmoid.applyInPlace(query.pointer, count: query.count)
    Sigmoid.applyInPlace(key.pointer, count: key.count)
    return LinearRecurrence(query: query, key: key, value: projected.value, logDecay: logDecay)
  }
}
