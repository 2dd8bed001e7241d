// Online softmax and attention of few queries.

// One row: see ck_softmax_tile.
CK_INLINE void CK(softmax_row)(float *s, size_t columns, size_t low, size_t high, float *maximum,
                               float *sum, float *output, size_t width) {
  for (size_t i = 0; i < low; i++) s[i] = 0;
  for (size_t i = high; i < columns; i++) s[i] = 0;
  if (low >= high) return;
  vf best = CK(splat)(*maximum);
  size_t i = low;
  for (; i + CK_LANES <= high; i += CK_LANES) best = CK(max)(CK(load)(s + i), best);
  if (i < high) best = CK(max)(CK(load_some)(s + i, high - i, -__builtin_inff()), best);
  float now = CK(max_lane)(best);
  if (now > *maximum) {
    // exp(-infinity) = 0 for the first tile.
    vf factor = CK(exp)(CK(splat)(*maximum - now));
    for (size_t c = 0; c < width; c++) output[c] *= factor[0];
    *sum *= factor[0];
    *maximum = now;
  }
  vf total = {};
  for (i = low; i + CK_LANES <= high; i += CK_LANES) {
    vf p = CK(exp)(CK(load)(s + i) - now);
    CK(store)(s + i, p);
    total = total + p;
  }
  if (i < high) {
    vf p = CK(exp)(CK(load_some)(s + i, high - i, -__builtin_inff()) - now);
    CK(store_some)(s + i, high - i, p);
    total = total + p;
  }
  *sum += CK(sum)(total);
}

static void CK(softmax_tile)(float *scores, size_t rows, size_t columns, size_t stride,
                             const int *low, const int *high, float *maximum, float *sum,
                             float *output, size_t width, size_t output_stride) {
  for (size_t r = 0; r < rows; r++)
    CK(softmax_row)(scores + r * stride, columns, (size_t)low[r], (size_t)high[r], maximum + r,
                    sum + r, output + r * output_stride, width);
}

CK_INLINE vf4 CK(quarter)(vf v) {
  vf8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
          __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
}

// The sums of four vectors at once.
CK_INLINE vf4 CK(sum4)(vf a, vf b, vf c, vf d) {
  vf4 p = CK(quarter)(a), q = CK(quarter)(b), r = CK(quarter)(c), s = CK(quarter)(d);
  vf4 pq = __builtin_shufflevector(p, q, 0, 4, 1, 5) + __builtin_shufflevector(p, q, 2, 6, 3, 7);
  vf4 rs = __builtin_shufflevector(r, s, 0, 4, 1, 5) + __builtin_shufflevector(r, s, 2, 6, 3, 7);
  return __builtin_shufflevector(pq, rs, 0, 1, 4, 5) + __builtin_shufflevector(pq, rs, 2, 3, 6, 7);
}

// scores[j] = q · keys[j] for up to 4 keys; `count` < 4 repeats the last key.
CK_INLINE vf4 CK(scores4)(const float *q, size_t width, const float *keys, size_t stride,
                          size_t count) {
  const float *k0 = keys, *k1 = keys + (count > 1 ? stride : 0);
  const float *k2 = keys + (count > 2 ? 2 * stride : 0), *k3 = keys + (count > 3 ? 3 * stride : 0);
  vf a = {}, b = {}, c = {}, d = {};
  size_t i = 0;
  for (; i + CK_LANES <= width; i += CK_LANES) {
    vf x = CK(load)(q + i);
    a = a + x * CK(load)(k0 + i);
    b = b + x * CK(load)(k1 + i);
    c = c + x * CK(load)(k2 + i);
    d = d + x * CK(load)(k3 + i);
  }
  if (i < width) {
    size_t n = width - i;
    vf x = CK(load_some)(q + i, n, 0);
    a = a + x * CK(load_some)(k0 + i, n, 0);
    b = b + x * CK(load_some)(k1 + i, n, 0);
    c = c + x * CK(load_some)(k2 + i, n, 0);
    d = d + x * CK(load_some)(k3 + i, n, 0);
  }
  return CK(sum4)(a, b, c, d);
}

// output += weights · values over `count` keys.
CK_INLINE void CK(weigh)(const float *weights, const float *values, size_t stride, size_t count,
                         float *output, size_t width) {
  size_t i = 0;
  for (; i + 4 * CK_LANES <= width; i += 4 * CK_LANES) {
    float *o = output + i;
    vf a = CK(load)(o), b = CK(load)(o + 16), c = CK(load)(o + 32), d = CK(load)(o + 48);
    const float *v = values + i;
    for (size_t j = 0; j < count; j++, v += stride) {
      float w = weights[j];
      a = a + w * CK(load)(v);
      b = b + w * CK(load)(v + 16);
      c = c + w * CK(load)(v + 32);
      d = d + w * CK(load)(v + 48);
    }
    CK(store)(o, a);
    CK(store)(o + 16, b);
    CK(store)(o + 32, c);
    CK(store)(o + 48, d);
  }
  for (; i + CK_LANES <= width; i += CK_LANES) {
    vf a = CK(load)(output + i);
    for (size_t j = 0; j < count; j++) a = a + weights[j] * CK(load)(values + j * stride + i);
    CK(store)(output + i, a);
  }
  if (i < width) {
    vf a = CK(load_some)(output + i, width - i, 0);
    for (size_t j = 0; j < count; j++)
      a = a + weights[j] * CK(load_some)(values + j * stride + i, width - i, 0);
    CK(store_some)(output + i, width - i, a);
  }
}

static void CK(attend)(const float *queries, size_t group, size_t key_width, size_t value_width,
                       const float *keys, size_t key_stride, const float *values,
                       size_t value_stride, size_t count, float *maximum, float *sum,
                       float *output, float *scores) {
  for (size_t start = 0; start < count; start += CK_ATTEND_TILE) {
    size_t n = count - start < CK_ATTEND_TILE ? count - start : CK_ATTEND_TILE;
    // All heads take four keys before the next four: keys are read from memory once.
    for (size_t j = 0; j < n; j += 4) {
      for (size_t g = 0; g < group; g++) {
        vf4 s = CK(scores4)(queries + g * key_width, key_width, keys + (start + j) * key_stride,
                            key_stride, n - j);
        memcpy(scores + g * CK_ATTEND_TILE + j, &s, sizeof s);
      }
    }
    for (size_t g = 0; g < group; g++) {
      float *row = scores + g * CK_ATTEND_TILE, *o = output + g * value_width;
      CK(softmax_row)(row, n, 0, n, maximum + g, sum + g, o, value_width);
      CK(weigh)(row, values + start * value_stride, value_stride, n, o, value_width);
    }
  }
}
