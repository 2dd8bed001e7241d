// Dot products of weight rows with activations. R rows and T tokens at a time keep all
// accumulators in registers; 32 columns per step.
//
// Reading R rows side by side leaves the hardware prefetcher without a stream to follow and halves
// the bandwidth from memory (measured on Zen 4), so each step asks for the next R rows in the
// order they lie in memory.
//
// bfloat16 needs no widening instruction: of 32 values read as 16 words, `word << 16` are the even
// ones and `word & 0xffff0000` the odd ones. Activations are put into that order beforehand.

CK_INLINE void CK(pair_f32)(const uint8_t *p, vf *a, vf *b) {
  memcpy(a, p, sizeof *a);
  memcpy(b, p + 64, sizeof *b);
}

CK_INLINE void CK(pair_bf16)(const uint8_t *p, vf *a, vf *b) {
  vu words;
  memcpy(&words, p, sizeof words);
  *a = (vf)(words << 16);
  *b = (vf)(words & 0xffff0000);
}

CK_INLINE void CK(pair_f16)(const uint8_t *p, vf *a, vf *b) {
#if CK_ISA == CK_AVX512
  *a = (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
  *b = (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + 32)));
#else
  float wide[32];
  ck_decode(CK_F16, p, wide, 32);
  memcpy(a, wide, sizeof *a);
  memcpy(b, wide + 16, sizeof *b);
#endif
}

// How many rows and tokens one step handles, by the number of registers, and how many accumulators
// each product has: two chains hide the latency of the multiply-add when there are few products.
#if CK_ISA == CK_AVX512
#define CK_ROWS 4
#define CK_TOKENS 3
#define CK_CHAINS(T) 2
#else
#define CK_ROWS 2
#define CK_TOKENS 2
#define CK_CHAINS(T) ((T) == 1 ? 2 : 1)
#endif

#define CK_DOT(type, size)                                                                      \
  CK_INLINE void CK(tile_##type)(const int R, const int T, const uint8_t *w, ptrdiff_t stride,  \
                                 size_t columns, const float *x, size_t x_stride,               \
                                 const float *bias, float *y, size_t y_stride) {                \
    vf sums[2][CK_ROWS][CK_TOKENS] = {};                                                        \
    const uintptr_t ahead = (uintptr_t)w + (stride == (ptrdiff_t)columns * size ? R * stride : 0); \
    size_t c = 0;                                                                               \
    for (; c + 32 <= columns; c += 32) {                                                        \
      _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                          \
        vf a, b;                                                                                \
        for (int line = 0; line < size / 2; line++)                                             \
          __builtin_prefetch((const void *)(ahead + R * c * size + (r * size / 2 + line) * 64), \
                             0, 2);                                                             \
        CK(pair_##type)(w + r * stride + c * size, &a, &b);                                     \
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) {                        \
          sums[0][r][t] = sums[0][r][t] + a * CK(load)(x + t * x_stride + c);                   \
          vf *second = &sums[CK_CHAINS(T) - 1][r][t];                                           \
          *second = *second + b * CK(load)(x + t * x_stride + c + 16);                          \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
    if (c < columns) {                                                                          \
      _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                          \
        uint8_t tail[32 * size] = {0};                                                          \
        memcpy(tail, w + r * stride + c * size, (columns - c) * size);                          \
        vf a, b;                                                                                \
        CK(pair_##type)(tail, &a, &b);                                                          \
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) {                        \
          sums[0][r][t] = sums[0][r][t] + a * CK(load)(x + t * x_stride + c);                   \
          vf *second = &sums[CK_CHAINS(T) - 1][r][t];                                           \
          *second = *second + b * CK(load)(x + t * x_stride + c + 16);                          \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
    _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                              \
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)                          \
            y[t * y_stride + r] = CK(sum)(sums[0][r][t] + sums[1][r][t]) + (bias ? bias[r] : 0.0f); \
  }                                                                                             \
                                                                                                \
  CK_INLINE void CK(rows_##type)(const int R, const uint8_t *w, ptrdiff_t stride,               \
                                 size_t columns, const float *x, size_t x_stride,               \
                                 size_t tokens, const float *bias, float *y, size_t y_stride) { \
    size_t t = 0;                                                                               \
    for (; t + CK_TOKENS <= tokens; t += CK_TOKENS)                                             \
      CK(tile_##type)(R, CK_TOKENS, w, stride, columns, x + t * x_stride, x_stride, bias,       \
                      y + t * y_stride, y_stride);                                              \
    if (CK_TOKENS > 2 && t + 2 <= tokens) {                                                     \
      CK(tile_##type)(R, 2, w, stride, columns, x + t * x_stride, x_stride, bias,               \
                      y + t * y_stride, y_stride);                                              \
      t += 2;                                                                                   \
    }                                                                                           \
    for (; t < tokens; t++)                                                                     \
      CK(tile_##type)(R, 1, w, stride, columns, x + t * x_stride, x_stride, bias,               \
                      y + t * y_stride, y_stride);                                              \
  }                                                                                             \
                                                                                                \
  static void CK(dot_##type)(const uint8_t *w, ptrdiff_t stride, size_t rows, size_t columns,   \
                             const float *x, size_t x_stride, size_t tokens, const float *bias, \
                             float *y, size_t y_stride) {                                       \
    size_t r = 0;                                                                               \
    for (; r + CK_ROWS <= rows; r += CK_ROWS)                                                   \
      CK(rows_##type)(CK_ROWS, w + (ptrdiff_t)r * stride, stride, columns, x, x_stride, tokens, \
                      bias ? bias + r : bias, y + r, y_stride);                                 \
    for (; r < rows; r++)                                                                       \
      CK(rows_##type)(1, w + (ptrdiff_t)r * stride, stride, columns, x, x_stride, tokens,       \
                      bias ? bias + r : bias, y + r, y_stride);                                 \
  }
CK_DOT(f32, 4)
CK_DOT(bf16, 2)
CK_DOT(f16, 2)
#undef CK_DOT
#undef CK_CHAINS
#undef CK_ROWS
#undef CK_TOKENS

static void CK(dot_rows)(int32_t type, const uint8_t *w, ptrdiff_t stride, size_t rows,
                         size_t columns, const float *x, size_t x_stride, size_t tokens,
                         const float *bias, float *y, size_t y_stride) {
  switch (type) {
    case CK_BF16: CK(dot_bf16)(w, stride, rows, columns, x, x_stride, tokens, bias, y, y_stride);
      break;
    case CK_F16: CK(dot_f16)(w, stride, rows, columns, x, x_stride, tokens, bias, y, y_stride);
      break;
    default: CK(dot_f32)(w, stride, rows, columns, x, x_stride, tokens, bias, y, y_stride);
  }
}
