// Online softmax and attention of few queries.

// One row: see ck_softmax_tile.
CK_INLINE void ck(softmax_row)(float *s, size_t columns, size_t low, size_t high, float *maximum,
                               float *sum, float *output, size_t width) {
  for (size_t i = 0; i < low; i++) s[i] = 0;
  for (size_t i = high; i < columns; i++) s[i] = 0;
  if (low >= high) return;
  vf best = ck(splat)(*maximum);
  size_t i = low;
  for (; i + CK_LANES <= high; i += CK_LANES) best = ck(max)(ck(load)(s + i), best);
  if (i < high) best = ck(max)(ck(load_some)(s + i, high - i, -__builtin_inff()), best);
  float now = ck(max_lane)(best);
  if (now > *maximum) {
    // exp(-infinity) = 0 for the first tile.
    vf factor = ck(exp)(ck(splat)(*maximum - now));
    for (size_t c = 0; c < width; c++) output[c] *= factor[0];
    *sum *= factor[0];
    *maximum = now;
  }
  vf total = {};
  for (i = low; i + CK_LANES <= high; i += CK_LANES) {
    vf p = ck(exp)(ck(load)(s + i) - now);
    ck(store)(s + i, p);
    total = total + p;
  }
  if (i < high) {
    vf p = ck(exp)(ck(load_some)(s + i, high - i, -__builtin_inff()) - now);
    ck(store_some)(s + i, high - i, p);
    total = total + p;
  }
  *sum += ck(sum)(total);
}

static void ck(softmax_tile)(ck_score_tile tile, const int *low, const int *high,
                             ck_softmax_state state) {
  for (size_t r = 0; r < tile.rows; r++)
    ck(softmax_row)(tile.scores + r * tile.stride, tile.columns, (size_t)low[r], (size_t)high[r],
                    state.maximum + r, state.sum + r, state.output + r * state.output_stride,
                    state.width);
}

CK_INLINE vf4 ck(quarter)(vf v) {
  vf8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
          __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
}

// The sums of four vectors at once.
CK_INLINE vf4 ck(sum4)(vf a, vf b, vf c, vf d) {
  vf4 p = ck(quarter)(a), q = ck(quarter)(b), r = ck(quarter)(c), s = ck(quarter)(d);
  vf4 pq = __builtin_shufflevector(p, q, 0, 4, 1, 5) + __builtin_shufflevector(p, q, 2, 6, 3, 7);
  vf4 rs = __builtin_shufflevector(r, s, 0, 4, 1, 5) + __builtin_shufflevector(r, s, 2, 6, 3, 7);
  return __builtin_shufflevector(pq, rs, 0, 1, 4, 5) + __builtin_shufflevector(pq, rs, 2, 3, 6, 7);
}

// scores[j] = q · keys[j] for up to 4 keys; `count` < 4 repeats the last key.
CK_INLINE vf4 ck(scores4)(const float *q, size_t width, const float *keys, size_t stride,
                          size_t count) {
  const float *k0 = keys, *k1 = keys + (count > 1 ? stride : 0);
  const float *k2 = keys + (count > 2 ? 2 * stride : 0), *k3 = keys + (count > 3 ? 3 * stride : 0);
  vf a = {}, b = {}, c = {}, d = {};
  size_t i = 0;
  for (; i + CK_LANES <= width; i += CK_LANES) {
    vf x = ck(load)(q + i);
    a = a + x * ck(load)(k0 + i);
    b = b + x * ck(load)(k1 + i);
    c = c + x * ck(load)(k2 + i);
    d = d + x * ck(load)(k3 + i);
  }
  if (i < width) {
    size_t n = width - i;
    vf x = ck(load_some)(q + i, n, 0);
    a = a + x * ck(load_some)(k0 + i, n, 0);
    b = b + x * ck(load_some)(k1 + i, n, 0);
    c = c + x * ck(load_some)(k2 + i, n, 0);
    d = d + x * ck(load_some)(k3 + i, n, 0);
  }
  return ck(sum4)(a, b, c, d);
}

// output[g] += weights[g] · values over `count` keys for G heads and N · 16 value channels: each
// value is read once for all heads.
CK_INLINE void ck(weigh_tile)(const int G, const int N, const float *weights, const float *values,
                              size_t stride, size_t count, float *output, size_t width,
                              size_t lanes) {
  const int full = lanes == CK_LANES;
  vf acc[4][2];
  CK_EACH(g, G)
    CK_EACH(n, N) {
      const float *o = output + (size_t)g * width + n * CK_LANES;
      acc[g][n] = full ? ck(load)(o) : ck(load_some)(o, lanes, 0);
    }
  for (size_t j = 0; j < count; j++, values += stride) {
    vf v[2];
    CK_EACH(n, N) v[n] = full ? ck(load)(values + n * CK_LANES) : ck(load_some)(values, lanes, 0);
    CK_EACH(g, G)
      CK_EACH(n, N) acc[g][n] = acc[g][n] + weights[(size_t)g * CK_ATTEND_TILE + j] * v[n];
  }
  CK_EACH(g, G)
    CK_EACH(n, N) {
      float *o = output + (size_t)g * width + n * CK_LANES;
      if (full) ck(store)(o, acc[g][n]);
      else ck(store_some)(o, lanes, acc[g][n]);
    }
}

CK_INLINE void ck(weigh_heads)(const int G, const float *weights, const float *values,
                               size_t stride, size_t count, float *output, size_t width) {
  size_t i = 0;
  for (; i + 2 * CK_LANES <= width; i += 2 * CK_LANES)
    ck(weigh_tile)(G, 2, weights, values + i, stride, count, output + i, width, CK_LANES);
  for (; i < width; i += CK_LANES) {
    size_t lanes = width - i < CK_LANES ? width - i : CK_LANES;
    ck(weigh_tile)(G, 1, weights, values + i, stride, count, output + i, width, lanes);
  }
}

static void ck(weigh)(size_t group, const float *weights, const float *values, size_t stride,
                      size_t count, float *output, size_t width) {
  size_t g = 0;
  for (; g + 4 <= group; g += 4)
    ck(weigh_heads)(4, weights + g * CK_ATTEND_TILE, values, stride, count, output + g * width,
                    width);
  weights += g * CK_ATTEND_TILE;
  output += g * width;
  if (group - g == 3) ck(weigh_heads)(3, weights, values, stride, count, output, width);
  if (group - g == 2) ck(weigh_heads)(2, weights, values, stride, count, output, width);
  if (group - g == 1) ck(weigh_heads)(1, weights, values, stride, count, output, width);
}

// Prefetching past the end is harmless; it never faults.
CK_INLINE void ck(prefetch_row)(const float *row, size_t width) {
  for (size_t i = 0; i < width; i += CK_LANES) __builtin_prefetch(row + i, 0, 2);
}

static void ck(attend)(ck_attention call, ck_softmax_state state, float *scores) {
  const ck_rows keys = call.keys, values = call.values;
  for (size_t start = 0; start < keys.count; start += CK_ATTEND_TILE) {
    size_t n = keys.count - start < CK_ATTEND_TILE ? keys.count - start : CK_ATTEND_TILE;
    // All heads take four keys before the next four: keys are read from memory once. Rows of one
    // head lie too far apart for the hardware prefetcher; ask for this tile's values and the next
    // tile's keys meanwhile.
    for (size_t j = 0; j < n; j += 4) {
      for (size_t i = j; i < j + 4; i++) {
        ck(prefetch_row)(values.values + (start + i) * values.stride, state.width);
        ck(prefetch_row)(keys.values + (start + CK_ATTEND_TILE + i) * keys.stride, call.key_width);
      }
      for (size_t g = 0; g < call.group; g++) {
        vf4 s = ck(scores4)(call.queries + g * call.key_width, call.key_width,
                            keys.values + (start + j) * keys.stride, keys.stride, n - j);
        memcpy(scores + g * CK_ATTEND_TILE + j, &s, sizeof s);
      }
    }
    for (size_t g = 0; g < call.group; g++)
      ck(softmax_row)(scores + g * CK_ATTEND_TILE, n, 0, n, state.maximum + g, state.sum + g,
                      state.output + g * state.width, state.width);
    ck(weigh)(call.group, scores, values.values + start * values.stride, values.stride, n,
              state.output, state.width);
  }
}
