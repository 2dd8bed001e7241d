// Gradients of softmax attention.

// One row: see ck_softmax_backward_tile.
CK_INLINE void ck(softmax_backward_row)(float *s, float *d, size_t columns, size_t low, size_t high,
                                        float maximum, float factor, float mean) {
  for (size_t i = 0; i < low; i++) s[i] = d[i] = 0;
  for (size_t i = high; i < columns; i++) s[i] = d[i] = 0;
  size_t i = low;
  for (; i + CK_LANES <= high; i += CK_LANES) {
    vf p = ck(exp)(ck(load)(s + i) - maximum) * factor;
    ck(store)(s + i, p);
    ck(store)(d + i, p * (ck(load)(d + i) - mean));
  }
  if (i < high) {
    vf p = ck(exp)(ck(load_some)(s + i, high - i, maximum) - maximum) * factor;
    ck(store_some)(s + i, high - i, p);
    ck(store_some)(d + i, high - i, p * (ck(load_some)(d + i, high - i, 0) - mean));
  }
}

static void ck(softmax_backward_tile)(ck_score_tile tile, float *gradients, const int *low,
                                      const int *high, ck_softmax_rows rows) {
  for (size_t r = 0; r < tile.rows; r++)
    ck(softmax_backward_row)(tile.scores + r * tile.stride, gradients + r * tile.stride,
                             tile.columns, (size_t)low[r], (size_t)high[r], rows.maximum[r],
                             rows.factor[r], rows.mean[r]);
}

static void ck(row_dots)(const float *a, const float *b, size_t rows, size_t columns, float *dots) {
  for (size_t r = 0; r < rows; r++, a += columns, b += columns) {
    vf total = {};
    size_t i = 0;
    for (; i + CK_LANES <= columns; i += CK_LANES)
      total = total + ck(load)(a + i) * ck(load)(b + i);
    if (i < columns)
      total = total + ck(load_some)(a + i, columns - i, 0) * ck(load_some)(b + i, columns - i, 0);
    dots[r] = ck(sum)(total);
  }
}
