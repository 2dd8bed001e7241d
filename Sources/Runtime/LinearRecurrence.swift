import Architectures
import Kernels

/// Gated linear attention over the next tokens of a text, on a state that is kept between calls.
struct LinearRecurrence {
  /// q [T, heads·d], features applied.
  let query: FloatMatrix
  /// k [T, kv·d], features applied.
  let key: FloatMatrix
  /// v [T, kv·d].
  let value: FloatMatrix
  /// Log-decay per token, key/value head and channel [T, kv·d].
  let logDecay: FloatMatrix

  /// The heads' outputs [T, heads·d].
  ///
  /// - Parameters:
  ///   - state: [kv, d, d], updated.
  ///   - position: the first token's position.
  ///   - resets: empties the state before every token whose position is a multiple of it, to
  ///     measure what the memory is worth; nil never.
  func run(
    _ model: ModelDescription, state: inout [Float], position: Int, resets: Int?
  ) -> FloatMatrix {
    let tokens = query.rows
    let output = FloatMatrix(rows: tokens, columns: model.queryWidth)
    defer { withExtendedLifetime((query, key, value, logDecay)) {} }
    state.withUnsafeMutableBufferPointer { state in
      guard let base = state.baseAddress else { return }
      var done = 0
      while done < tokens {
        var run = tokens - done
        if let resets {
          if (position + done) % resets == 0 { state.update(repeating: 0) }
          run = min(run, resets - (position + done) % resets)
        }
        let queries = done * model.queryWidth, keys = done * model.keyValueWidth
        GatedLinearAttention.apply(
          queries: query.pointer + queries, keys: key.pointer + keys,
          values: value.pointer + keys, logDecay: logDecay.pointer + keys, tokens: run,
          layout: model.headLayout, state: base, output: output.pointer + queries)
        done += run
      }
    }
    return output
  }
}
