// Dot products of INT8 weight rows with float32 activations: R rows and T tokens at a time, a group
// summed before it is scaled. As in linear/dot_template.h, each step asks for the next R rows in the
// order they lie in memory.

CK_INLINE vf CK(int8_widen)(const int8_t *p) {
  vc bytes;
  memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(__builtin_convertvector(bytes, vi), vf);
}

CK_INLINE void CK(int8_tile)(const int R, const int T, ck_int8_matrix w, size_t row,
                             const float *x, size_t x_stride, const float *bias, float *y,
                             size_t y_stride) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const int8_t *codes = w.codes + row * w.columns;
  const uintptr_t ahead = (uintptr_t)codes + R * w.columns;
  const float *scales = w.scales + row * groups;
  vf sums[4][3] = {};
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    vf parts[4][3] = {};
    for (; c + 64 <= end; c += 64) {
      _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
          __builtin_prefetch((const void *)(ahead + R * c + r * 64), 0, 2);
      _Pragma("clang loop unroll(full)") for (int i = 0; i < 64; i += CK_LANES)
          _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {
        vf code = CK(int8_widen)(codes + r * w.columns + c + i);
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)
            parts[r][t] = parts[r][t] + code * CK(load)(x + t * x_stride + c + i);
      }
    }
    for (; c < end; c += CK_LANES) {
      const size_t left = end - c < CK_LANES ? end - c : CK_LANES;
      _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {
        int8_t tail[CK_LANES] = {0};
        memcpy(tail, codes + r * w.columns + c, left);
        vf code = CK(int8_widen)(tail);
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) {
          const float *p = x + t * x_stride + c;
          vf value = left == CK_LANES ? CK(load)(p) : CK(load_some)(p, left, 0);
          parts[r][t] = parts[r][t] + code * value;
        }
      }
    }
    c = end;
    _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)
            sums[r][t] = sums[r][t] + parts[r][t] * scales[r * groups + g];
  }
  _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
      _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)
          y[t * y_stride + row + r] = CK(sum)(sums[r][t]) + (bias ? bias[row + r] : 0.0f);
}

CK_INLINE void CK(int8_tokens)(const int R, ck_int8_matrix w, size_t row, const float *x,
                               size_t x_stride, size_t tokens, const float *bias, float *y,
                               size_t y_stride) {
  size_t t = 0;
  for (; t + 3 <= tokens; t += 3)
    CK(int8_tile)(R, 3, w, row, x + t * x_stride, x_stride, bias, y + t * y_stride, y_stride);
  for (; t < tokens; t++)
    CK(int8_tile)(R, 1, w, row, x + t * x_stride, x_stride, bias, y + t * y_stride, y_stride);
}

#if CK_ISA == CK_AVX512
#define CK_ROWS 4
#else
#define CK_ROWS 2
#endif

static void CK(int8_dots)(ck_int8_matrix w, const float *x, size_t x_stride, size_t tokens,
                          const float *bias, float *y, size_t y_stride) {
  size_t r = 0;
  for (; r + CK_ROWS <= w.rows; r += CK_ROWS)
    CK(int8_tokens)(CK_ROWS, w, r, x, x_stride, tokens, bias, y, y_stride);
  for (; r < w.rows; r++) CK(int8_tokens)(1, w, r, x, x_stride, tokens, bias, y, y_stride);
}
#undef CK_ROWS
