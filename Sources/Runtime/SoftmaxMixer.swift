package import Architectures
package import Kernels

/// Softmax attention with rotary embeddings over a window or everything.
struct SoftmaxMixer {
  let weights: LayerWeights
  let model: ModelDescription
  /// Cosines and sines of the next tokens' positions; nil where nothing turns.
  let rotary: RotaryTable?
  /// Most keys a token sees; nil for all.
  let windowKeys: Int?

  /// Whether the tokens are the sinks: they see each other in both directions, and stay visible.
  var areSinks = false

  /// The heads' outputs [T, heads·d] for the normed inputs [T, H] of the next T tokens.
  func callAsFunction(_ input: FloatMatrix, cache: inout KeyValueCache) throws -> FloatMatrix {
    attend(try ProjectedHeads(input, weights: weights, model: model), cache: &cache)
  }

  /// The heads' outputs [T, heads·d] for q, k and v of the next T tokens; q and k are rotated in
  /// place, and the cache keeps k and v.
  func attend(_ projected: ProjectedHeads, cache: inout KeyValueCache) -> FloatMatrix {
    let start = cache.position, tokens = projected.query.rows
    defer { withExtendedLifetime((projected, cache)) {} }
    rotary?.apply(to: projected.query.pointer, tokens: tokens, heads: model.heads)
    rotary?.apply(to: projected.key.pointer, tokens: tokens, heads: model.keyValueHeads)
    if let spiked = weights.rotatedQuery?(projected.query, heads: model.heads) {
      projected.query.copyRows(of: spiked, to: 0)
    }
    projected.query.scale(by: model.queryFactor)
    if let heads = cache.codedHeads {
      for matrix in [projected.key, projected.value] {
        KeyValueCodes.roundInPlace(
          matrix.pointer, heads: tokens * heads, count: matrix.columns / heads)
      }
    }
    let new = KeyValueSegment(
      keys: projected.key.pointer, values: projected.value.pointer, firstPosition: start,
      count: tokens, isAlwaysVisible: areSinks)
    let output = FloatMatrix(rows: tokens, columns: model.queryWidth)
    cache.withSegments { segments in
      if let cap = model.softCaps.scores {
        WindowAttention.applyCapped(
          queries: projected.query.pointer, tokens: tokens, firstPosition: start,
          layout: model.headLayout, segments: segments + [new], window: windowKeys ?? .max,
          cap: cap, output: output.pointer)
      } else {
        WindowAttention.apply(
          queries: projected.query.pointer, tokens: tokens, firstPosition: start,
          layout: model.headLayout, segments: segments + [new], window: windowKeys ?? .max,
          output: output.pointer)
      }
    }
    if areSinks {
      cache.setSinks(keys: projected.key, values: projected.value)
    } else {
      cache.append(keys: projected.key, values: projected.value)
    }
    return output
  }
}

/// q [T, heads·d], k and v [T, kv·d] with their biases and norms.
struct ProjectedHeads {
  let query: FloatMatrix
  let key: FloatMatrix
  let value: FloatMatrix

  init(_ input: FloatMatrix, weights: LayerWeights, model: ModelDescription) throws {
    query = try weights.query(input)
    key = try weights.key(input)
    value = try weights.value(input)
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
