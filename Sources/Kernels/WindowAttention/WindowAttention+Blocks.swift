import CKernels

extension WindowAttentionCall {
  /// Queries per block and keys per tile: scores of one tile stay in the second-level cache.
  private static var blockRows: Int { 384 }
  private static var tileKeys: Int { 256 }

  /// Tokens of a block of queries.
  private var blockTokens: Int { min(tokens, max(8, Self.blockRows / layout.groupSize)) }

  /// Blocks of queries times key/value heads: the pieces of work that may run side by side.
  var pieces: Int { (tokens + blockTokens - 1) / blockTokens * layout.kvHeads }

  /// Blocks of queries against tiles of keys with a running softmax.
  ///
  /// Memory per thread: block · (tile + dimensions) floats, whatever the sequence length.
  func runBlocks() {
    Parallel.forEach(pieces) { run(piece: $0) }
  }

  /// One block of queries and one key/value head.
  func run(piece index: Int) {
    // Late blocks see most keys: start with them, so that threads finish together.
    let block = (pieces - 1 - index) / layout.kvHeads, first = block * blockTokens
    run(first..<min(tokens, first + blockTokens), kv: index % layout.kvHeads)
  }

  /// All query heads of one group for a block of tokens. Row t · group + g is token t, head g.
  private func run(_ range: Range<Int>, kv: Int) {
    let group = layout.groupSize, dk = layout.keyDimension, dv = layout.valueDimension
    let rows = range.count * group
    withScratch(rows * (dk + dv + Self.tileKeys + 2)) { scratch in
      let q = scratch, o = q + rows * dk, scores = o + rows * dv
      let maxima = scores + rows * Self.tileKeys, sums = maxima + rows
      for (index, t) in range.enumerated() {
        let source = queries + t * layout.queryWidth + kv * group * dk
        let target = q + index * group * dk
        for i in 0..<group * dk { target[i] = source[i] * layout.scale }
      }
      o.update(repeating: 0, count: rows * dv)
      maxima.update(repeating: -.infinity, count: rows)
      sums.update(repeating: 0, count: rows)
      let state = BlockState(q: q, o: o, scores: scores, maxima: maxima, sums: sums, rows: rows)
      for segment in segments { fold(segment, into: state, tokens: range, kv: kv) }
      for (index, t) in range.enumerated() {
        let target = output + t * layout.outputWidth + kv * group * dv
        for g in 0..<group {
          let row = index * group + g
          let factor = sums[row] > 0 ? 1 / sums[row] : 0
          for c in 0..<dv { target[g * dv + c] = o[row * dv + c] * factor }
        }
      }
    }
  }

  /// The scratch of one block; rows as in `run`.
  private struct BlockState {
    var q: UnsafeMutablePointer<Float>, o: UnsafeMutablePointer<Float>
    var scores: UnsafeMutablePointer<Float>
    var maxima: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Float>
    var rows: Int
  }

  /// Adds the visible keys of one segment, tile by tile.
  private func fold(
    _ segment: KeyValueSegment, into state: BlockState, tokens range: Range<Int>, kv: Int
  ) {
    let group = layout.groupSize, dk = layout.keyDimension, dv = layout.valueDimension
    let positions = firstPosition + range.lowerBound...firstPosition + range.upperBound - 1
    let union = segment.visible(from: positions, window: window)
    var low = [Int32](repeating: 0, count: state.rows), high = low
    for tile in stride(from: union.lowerBound, to: union.upperBound, by: Self.tileKeys) {
      let count = min(Self.tileKeys, union.upperBound - tile)
      segment.setColumns(
        of: tile..<tile + count, from: positions, window: window, group: group, low: &low,
        high: &high)
      Product.multiply(
        .transposedRight, state.q, stride: dk, segment.keys + tile * layout.keyWidth + kv * dk,
        stride: layout.keyWidth, m: state.rows, n: count, k: dk, into: state.scores,
        stride: Self.tileKeys)
      ck_softmax_tile(
        Execution.isa,
        ck_score_tile(
          scores: state.scores, rows: state.rows, columns: count, stride: Self.tileKeys),
        low, high,
        ck_softmax_state(
          maximum: state.maxima, sum: state.sums, output: state.o, width: dv, output_stride: dv))
      Product.multiply(
        .plain, state.scores, stride: Self.tileKeys,
        segment.values + tile * layout.valueWidth + kv * dv, stride: layout.valueWidth,
        m: state.rows, n: dv, k: count, adding: true, into: state.o, stride: dv)
    }
  }
}
