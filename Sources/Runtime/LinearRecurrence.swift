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
  ///   - resets: when the state is emptied; nil never.
  func run(
    _ model: ModelDescription, state: inout [Float], resets: StateResets?
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
          resets.apply(to: state, before: done)
          run = min(run, resets.run(from: done))
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
