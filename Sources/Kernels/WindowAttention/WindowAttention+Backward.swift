import CKernels

extension WindowAttention {
  /// The gradients dq, dk and dv of `applySegments` for the gradient dO of its output o. See below, and
  /// `backwardCapped`.
  public static func backward(
    queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix, output: FloatMatrix,
    outputGradient: FloatMatrix, segments: Int, layout: HeadLayout, window: Int? = nil,
    sinks: Int = 0, cap: Double? = nil
  ) -> (queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix) {
    let tokens = layout.tokens(queries, keys, values, segments: segments)
    precondition(output.rows == queries.rows && output.columns == layout.outputWidth)
    output.requireSize(of: outputGradient)
    let gradients = (queries.unset, keys.unset, values.unset)
    withExtendedLifetime((queries, keys, values, output, outputGradient, gradients)) {
      if let cap {
        backwardCapped(
          queries: queries.pointer, keys: keys.pointer, values: values.pointer,
          outputGradient: outputGradient.pointer, segments: segments, tokens: tokens,
          layout: layout, window: window ?? .max, sinks: sinks, cap: cap,
          queryGradient: gradients.0.pointer, keyGradient: gradients.1.pointer,
          valueGradient: gradients.2.pointer)
        return
      }
      backward(
        queries: queries.pointer, keys: keys.pointer, values: values.pointer,
        output: output.pointer, outputGradient: outputGradient.pointer, segments: segments,
        tokens: tokens, layout: layout, window: window, sinks: sinks,
        queryGradient: gradients.0.pointer, keyGradient: gradients.1.pointer,
        valueGradient: gradients.2.pointer)
    }
    return gradients
  }

  /// The gradients of `applySegments` for the gradient dO of its output.
  ///
  /// With c = keyDimension^-1/2, P = softmax(c q kᵀ) over the visible keys and dP = dO vᵀ:
  /// dS = P · (dP - rowsum(dO · o)), dq = c dS k, dk = c dSᵀ q, dv = Pᵀ dO; where heads share k and
  /// v, dk and dv are summed over the group.
  ///
  /// P is computed anew, tile by tile, from the maximum and sum of each row, which a pass over the
  /// scores finds first (Dao 2023): memory per thread is a block of queries and two tiles, whatever
  /// the sequence length. One task owns a segment's key/value head with all its sums, so the result
  /// does not depend on threads.
  ///
  /// - Parameters:
  ///   - queries: q [segments · tokens, heads, keyDimension], rotated, not yet scaled.
  ///   - keys: k [segments · tokens, kvHeads, keyDimension], rotated.
  ///   - values: v [segments · tokens, kvHeads, valueDimension].
  ///   - output: o, what `applySegments` gave [segments · tokens, heads, valueDimension].
  ///   - outputGradient: dO, shaped as o.
  ///   - segments: independent sequences, one after another.
  ///   - tokens: tokens of each.
  ///   - window: visible keys including the query's own position, at least 1; nil for all.
  ///   - sinks: as in `applySegments`.
  ///   - queryGradient: dq, shaped as q, by the rotated queries; overwritten, like all that follow.
  ///     May be q itself; other gradients may not overlap any input.
  ///   - keyGradient: dk, shaped as k.
  ///   - valueGradient: dv, shaped as v.
  static func backward(
    queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    output: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>, segments: Int = 1,
    tokens: Int, layout: HeadLayout, window: Int? = nil, sinks: Int = 0,
    queryGradient: UnsafeMutablePointer<Float>, keyGradient: UnsafeMutablePointer<Float>,
    valueGradient: UnsafeMutablePointer<Float>
  ) {
    guard segments > 0, tokens > 0 else { return }
    let work = segments * tokens * min(tokens, window ?? .max) * layout.queryWidth
    Parallel.forEach(segments * layout.kvHeads, if: work > 1 << 18) { index in
      let first = index / layout.kvHeads * tokens, kv = index % layout.kvHeads
      let query = first * layout.queryWidth + kv * layout.groupSize * layout.keyDimension
      let key = first * layout.keyWidth + kv * layout.keyDimension
      let value = first * layout.valueWidth + kv * layout.valueDimension
      let result = first * layout.outputWidth + kv * layout.groupSize * layout.valueDimension
      let head = AttentionHeadBackward(
        layout: layout, tokens: tokens, window: window ?? .max,
        keys: KeyValueSegment.text(
          keys: keys + key, values: values + value, tokens: tokens, sinks: sinks, layout: layout),
        queries: queries + query, output: output + result,
        outputGradient: outputGradient + result, queryGradient: queryGradient + query,
        keyGradient: keyGradient + key, valueGradient: valueGradient + value)
      head.run()
    }
  }
}

/// The backward pass of one key/value head of one segment; pointers are at its first token and
/// channel.
private struct AttentionHeadBackward {
  let layout: HeadLayout
  let tokens: Int
  let window: Int
  /// The sinks, if there are any, and the other tokens.
  let keys: [KeyValueSegment]
  let queries, output, outputGradient: UnsafePointer<Float>
  let queryGradient, keyGradient, valueGradient: UnsafeMutablePointer<Float>

  /// Queries per block and keys per tile: two tiles of scores stay in the second-level cache.
  private static var blockRows: Int { 192 }
  private static var tileKeys: Int { 256 }

  func run() {
    let dk = layout.keyDimension, dv = layout.valueDimension
    for t in 0..<tokens {
      (keyGradient + t * layout.keyWidth).update(repeating: 0, count: dk)
      (valueGradient + t * layout.valueWidth).update(repeating: 0, count: dv)
    }
    let blockTokens = min(tokens, max(8, Self.blockRows / layout.groupSize))
    let rows = blockTokens * layout.groupSize, tile = min(tokens, Self.tileKeys)
    withScratch(rows * (2 * dk + dv + 2 * tile + 3)) { scratch in
      let block = Block(scratch, rows: rows, layout: layout, tile: tile)
      for first in stride(from: 0, to: tokens, by: blockTokens) {
        run(first..<min(tokens, first + blockTokens), block)
      }
    }
  }

  /// The scratch of one block of tokens. Row t · group + g is token t, head g.
  private struct Block {
    /// c · q and the sum dS k [rows, keyDimension], dO [rows, valueDimension].
    let q, dq, dO: UnsafeMutablePointer<Float>
    /// Scores, then P; dP, then dS [rows, tile].
    let p, dp: UnsafeMutablePointer<Float>
    /// Per row: the largest score, the sum of exponentials (then 1 / sum), and dO · o.
    let maxima, sums, means: UnsafeMutablePointer<Float>
    let tile: Int

    init(_ scratch: UnsafeMutablePointer<Float>, rows: Int, layout: HeadLayout, tile: Int) {
      self.tile = tile
      q = scratch
      dq = q + rows * layout.keyDimension
      dO = dq + rows * layout.keyDimension
      p = dO + rows * layout.valueDimension
      dp = p + rows * tile
      maxima = dp + rows * tile
      sums = maxima + rows
      means = sums + rows
    }

    /// The scores of a tile of keys.
    func scores(_ keys: Tile, rows: Int) -> ck_score_tile {
      ck_score_tile(scores: p, rows: rows, columns: keys.count, stride: tile)
    }
  }

  private func run(_ range: Range<Int>, _ block: Block) {
    let rows = range.count * layout.groupSize
    load(range, block)
    block.maxima.update(repeating: -.infinity, count: rows)
    block.sums.update(repeating: 0, count: rows)
    forEachTile(range, block) { tile, low, high in
      ck_softmax_tile(
        Execution.isa, block.scores(tile, rows: rows), low, high,
        ck_softmax_state(
          maximum: block.maxima, sum: block.sums, output: nil, width: 0, output_stride: 0))
    }
    for row in 0..<rows { block.sums[row] = block.sums[row] > 0 ? 1 / block.sums[row] : 0 }
    forEachTile(range, block) { tile, low, high in
      addGradients(tile, rows: rows, block, low, high)
    }
    store(range, block)
  }

  private func load(_ range: Range<Int>, _ block: Block) {
    let group = layout.groupSize, dk = layout.keyDimension, dv = layout.valueDimension
    let isa = Execution.isa
    for (index, t) in range.enumerated() {
      let q = queries + t * layout.queryWidth, target = block.q + index * group * dk
      for i in 0..<group * dk { target[i] = q[i] * layout.scale }
      let dO = outputGradient + t * layout.outputWidth
      (block.dO + index * group * dv).update(from: dO, count: group * dv)
      ck_row_dots(
        isa, dO, output + t * layout.outputWidth, group, dv, block.means + index * group)
    }
    block.dq.update(repeating: 0, count: range.count * group * dk)
  }

  /// Keys of one segment whose scores are computed together.
  private struct Tile {
    let segment: KeyValueSegment
    /// The first one, as index into the segment.
    let first: Int
    let count: Int
  }

  /// Computes the scores of each tile of keys that the block sees and calls `body` with it and the
  /// columns each row sees.
  private func forEachTile(
    _ range: Range<Int>, _ block: Block, _ body: (Tile, [Int32], [Int32]) -> Void
  ) {
    let dk = layout.keyDimension, rows = range.count * layout.groupSize
    let positions = range.lowerBound...range.upperBound - 1
    var low = [Int32](repeating: 0, count: rows), high = low
    for segment in keys {
      let union = segment.visible(from: positions, window: window)
      for first in stride(from: union.lowerBound, to: union.upperBound, by: block.tile) {
        let count = min(block.tile, union.upperBound - first)
        segment.setColumns(
          of: first..<first + count, from: positions, window: window, group: layout.groupSize,
          low: &low, high: &high)
        Product.multiply(
          .transposedRight, block.q, stride: dk, segment.keys + first * layout.keyWidth,
          stride: layout.keyWidth,
          m: rows, n: count, k: dk, into: block.p, stride: block.tile)
        body(Tile(segment: segment, first: first, count: count), low, high)
      }
    }
  }

  private func addGradients(
    _ tile: Tile, rows: Int, _ block: Block, _ low: [Int32], _ high: [Int32]
  ) {
    let dk = layout.keyDimension, dv = layout.valueDimension, count = tile.count
    let keys = tile.segment.keys + tile.first * layout.keyWidth
    let values = tile.segment.values + tile.first * layout.valueWidth
    // The first key's row in the text.
    let row = tile.segment.firstPosition + tile.first
    Product.multiply(
      .transposedRight, block.dO, stride: dv, values, stride: layout.valueWidth, m: rows, n: count,
      k: dv,
      into: block.dp, stride: block.tile)
    ck_softmax_backward_tile(
      Execution.isa, block.scores(tile, rows: rows), block.dp, low, high,
      ck_softmax_rows(maximum: block.maxima, factor: block.sums, mean: block.means))
    Product.multiply(
      .transposedLeft, block.p, stride: block.tile, block.dO, stride: dv, m: count, n: dv, k: rows,
      adding: true, into: valueGradient + row * layout.valueWidth, stride: layout.valueWidth)
    // q is scaled already, so dk needs no factor.
    Product.multiply(
      .transposedLeft, block.dp, stride: block.tile, block.q, stride: dk, m: count, n: dk, k: rows,
      adding: true, into: keyGradient + row * layout.keyWidth, stride: layout.keyWidth)
    Product.multiply(
      .plain, block.dp, stride: block.tile, keys, stride: layout.keyWidth, m: rows, n: dk, k: count,
      adding: true, into: block.dq, stride: dk)
  }

  private func store(_ range: Range<Int>, _ block: Block) {
    let width = layout.groupSize * layout.keyDimension
    for (index, t) in range.enumerated() {
      let dq = block.dq + index * width, target = queryGradient + t * layout.queryWidth
      for i in 0..<width { target[i] = dq[i] * layout.scale }
    }
  }
}
