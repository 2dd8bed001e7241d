// Gradients of softmax attention.

// One row: see ck_softmax_backward_tile.
CK_INLINE void CK(softmax_backward_row)(float *s, float *d, size_t columns, size_t low, size_t high,
                                        float maximum, float factor, float mean) {
  for (size_t i = 0; i < low; i++) s[i] = d[i] = 0;
  for (size_t i = high; i < columns; i++) s[i] = d[i] = 0;
  size_t i = low;
  for (; i + CK_LANES <= high; i += CK_LANES) {
    vf p = CK(exp)(CK(load)(s + i) - maximum) * factor;
    CK(store)(s + i, p);
    CK(store)(d + i, p * (CK(load)(d + i) - mean));
  }
  if (i < high) {
    vf p = CK(exp)(CK(load_some)(s + i, high - i, maximum) - maximum) * factor;
    CK(store_some)(s + i, high - i, p);
    CK(store_some)(d + i, high - i, p * (CK(load_some)(d + i, high - i, 0) - mean));
  }
}

static void CK(softmax_backward_tile)(float *scores, float *gradients, size_t rows, size_t columns,
                                      size_t stride, const int *low, const int *high,
                                      const float *maximum, const float *factor,
                                      const float *mean) {
  for (size_t r = 0; r < rows; r++)
    CK(softmax_backward_row)(scores + r * stride, gradients + r * stride, columns, (size_t)low[r],
                             (size_t)high[r], maximum[r], factor[r], mean[r]);
}

static void CK(row_dots)(const float *a, const float *b, size_t rows, size_t columns, float *dots) {
  for (size_t r = 0; r < rows; r++, a += columns, b += columns) {
    vf total = {};
    size_t i = 0;
    for (; i + CK_LANES <= columns; i += CK_LANES)
      total = total + CK(load)(a + i) * CK(load)(b + i);
    if (i < columns)
      total = total + CK(load_some)(a + i, columns - i, 0) * CK(load_some)(b + i, columns - i, 0);
    dots[r] = CK(sum)(total);
  }
}
