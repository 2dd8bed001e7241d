import CKernels

extension WindowAttentionCall {
  /// One token after the other, reading each visible key and value once per group of heads.
  func stream() {
    let keyCount = segments.reduce(0) { $0 + min($1.count, window) }
    let parallel = tokens * keyCount * (layout.keyWidth + layout.valueWidth) > 1 << 15
    Parallel.forEach(layout.kvHeads, if: parallel) { kv in
      for t in 0..<tokens { stream(token: t, kv: kv) }
    }
  }

  private func stream(token t: Int, kv: Int) {
    let group = layout.groupSize, dk = layout.keyDimension, dv = layout.valueDimension
    let q = queries + t * layout.queryWidth + kv * group * dk
    let o = output + t * layout.outputWidth + kv * group * dv
    let tile = Int(CK_ATTEND_TILE)
    withScratch(group * (dk + 2 + tile)) { scratch in
      let scaled = scratch, maxima = scaled + group * dk, sums = maxima + group
      let scores = sums + group
      for i in 0..<group * dk { scaled[i] = q[i] * layout.scale }
      maxima.update(repeating: -.infinity, count: group)
      sums.update(repeating: 0, count: group)
      o.update(repeating: 0, count: group * dv)
      for segment in segments {
        let visible = segment.visible(from: firstPosition + t, window: window)
        if visible.isEmpty { continue }
        ck_attend(
          Execution.isa,
          ck_attention(
            queries: scaled, group: group, key_width: dk,
            keys: ck_rows(
              values: segment.keys + visible.lowerBound * layout.keyWidth + kv * dk,
              stride: layout.keyWidth, count: visible.count),
            values: ck_rows(
              values: segment.values + visible.lowerBound * layout.valueWidth + kv * dv,
              stride: layout.valueWidth, count: visible.count)),
          ck_softmax_state(maximum: maxima, sum: sums, output: o, width: dv, output_stride: dv),
          scores)
      }
      for g in 0..<group where sums[g] > 0 {
        for c in 0..<dv { o[g * dv + c] /= sums[g] }
      }
    }
  }
}
