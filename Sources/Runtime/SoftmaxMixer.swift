package import Architectures
package import Kernels

/// Softmax attention with rotary embeddings over a window or everything.
struct SoftmaxMixer {
  let weights: LayerWeights
  let model: ModelDescription
  /// Cosines and sines of the next tokens' positions.
  let rotary: RotaryTable
  /// Most keys a token sees; nil for all.
  let windowKeys: Int?

  /// The heads' outputs [T, heads·d] for the normed inputs [T, H] of the next T tokens.
  func callAsFunction(_ input: FloatMatrix, cache: inout KeyValueCache) -> FloatMatrix {
    let projected = ProjectedHeads(input, weights: weights, model: model)
    let start = cache.position
    defer { withExtendedLifetime((projected, cache)) {} }
    rotary.apply(to: projected.query.pointer, tokens: input.rows, heads: model.heads)
    rotary.apply(to: projected.key.pointer, tokens: input.rows, heads: model.keyValueHeads)
    let new = KeyValueSegment(
      keys: projected.key.pointer, values: projected.value.pointer, firstPosition: start,
      count: input.rows)
    let output = FloatMatrix(rows: input.rows, columns: model.queryWidth)
    WindowAttention.apply(
      queries: projected.query.pointer, tokens: input.rows, firstPosition: start,
      layout: model.headLayout, segments: cache.segments + [new], window: windowKeys ?? .max,
      output: output.pointer)
    cache.append(keys: projected.key, values: projected.value)
    return output
  }
}

/// q [T, heads·d], k and v [T, kv·d] with their biases and per-head norms.
struct ProjectedHeads {
  let query: FloatMatrix
  let key: FloatMatrix
  let value: FloatMatrix

  init(_ input: FloatMatrix, weights: LayerWeights, model: ModelDescription) {
    query = weights.query(input)
    key = weights.key(input)
    value = weights.value(input)
    for (matrix, norm) in [(query, weights.queryNorm), (key, weights.keyNorm)] {
      guard let norm else { continue }
      matrix.normalizeHeads(by: norm, epsilon: model.normEpsilon)
    }
  }
}

extension ModelDescription {
  /// The heads as the attention kernels want them.
  package var headLayout: HeadLayout {
    HeadLayout(heads: heads, kvHeads: keyValueHeads, dimension: headDim)
  }
}
