// Dot products of 4-bit weight rows with float32 activations: R rows and T tokens at a time, a
// group summed before it is scaled. Of 32 columns, the lower halves of 16 bytes are the even ones
// and the upper halves the odd ones; activations are put into that order beforehand, with the sum
// of each 32 behind them, by which the 8 that is added to every code is taken off again.

#if CK_ISA == CK_AVX512
#define CK_ROWS 4
#else
#define CK_ROWS 2
#endif

// 32 columns: 16 bytes of each of R rows, `width` bytes apart.
CK_INLINE void ck(int4_step)(const int R, const int T, const uint8_t *codes, size_t width,
                             ck_rows x, vf parts[CK_ROWS][3]) {
  CK_EACH(r, R) {
    vb bytes;
    memcpy(&bytes, codes + (size_t)r * width, sizeof bytes);
    const vf even = __builtin_convertvector(bytes & 15, vf);
    const vf odd = __builtin_convertvector(bytes >> 4, vf);
    CK_EACH(t, T) {
      const float *values = x.values + (size_t)t * x.stride;
      parts[r][t] = parts[r][t] + even * ck(load)(values);
      parts[r][t] = parts[r][t] + odd * ck(load)(values + 16);
    }
  }
}

// R rows from `row` on and T tokens; x and y point at the first of these.
CK_INLINE void ck(int4_tile)(const int R, const int T, ck_int4_matrix w, size_t row, ck_rows x,
                             const float *bias, ck_output y) {
  const size_t width = w.columns / 2, groups = (w.columns + w.group - 1) / w.group;
  const uint8_t *codes = w.codes + row * width;
  const uintptr_t ahead = (uintptr_t)codes + (size_t)R * width;
  const float *scales = w.scales + row * groups;
  const float *inputs = x.values + (w.columns + 31) / 32 * 32;
  vf sums[CK_ROWS][3] = {};
  float offsets[CK_ROWS][3] = {};
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    vf parts[CK_ROWS][3] = {};
    float sum[3] = {0};
    for (; c + 32 <= end; c += 32) {
      CK_EACH(r, R)
        __builtin_prefetch((const void *)(ahead + (size_t)R * c / 2 + (size_t)r * 16), 0, 2);
      ck_rows here = {x.values + c, x.stride, x.count};
      ck(int4_step)(R, T, codes + c / 2, width, here, parts);
      CK_EACH(t, T) sum[t] += inputs[(size_t)t * x.stride + c / 32];
    }
    if (c < end) {
      uint8_t tail[CK_ROWS][16] = {};
      for (int r = 0; r < R; r++) memcpy(tail[r], codes + (size_t)r * width + c / 2, (end - c) / 2);
      ck_rows here = {x.values + c, x.stride, x.count};
      ck(int4_step)(R, T, tail[0], 16, here, parts);
      CK_EACH(t, T) sum[t] += inputs[(size_t)t * x.stride + c / 32];
      c = end;
    }
    CK_EACH(r, R) {
      const float scale = scales[(size_t)r * groups + g];
      CK_EACH(t, T) {
        sums[r][t] = sums[r][t] + parts[r][t] * scale;
        offsets[r][t] += scale * sum[t];
      }
    }
  }
  CK_EACH(r, R)
    CK_EACH(t, T)
      y.values[(size_t)t * y.stride + row + (size_t)r] =
          ck(sum)(sums[r][t]) - 8 * offsets[r][t] + (bias ? bias[row + (size_t)r] : 0.0f);
}

CK_INLINE void ck(int4_tokens)(const int R, ck_int4_matrix w, size_t row, ck_rows x,
                               const float *bias, ck_output y) {
  for (size_t left = x.count; left > 0;) {
    size_t n = left >= 3 ? 3 : 1;
    if (n == 3) ck(int4_tile)(R, 3, w, row, x, bias, y);
    else ck(int4_tile)(R, 1, w, row, x, bias, y);
    x.values += n * x.stride;
    y.values += n * y.stride;
    left -= n;
  }
}

static void ck(int4_dots)(ck_int4_matrix w, ck_rows x, const float *bias, ck_output y) {
  size_t r = 0;
  for (; r + CK_ROWS <= w.rows; r += CK_ROWS) ck(int4_tokens)(CK_ROWS, w, r, x, bias, y);
  for (; r < w.rows; r++) ck(int4_tokens)(1, w, r, x, bias, y);
}
#undef CK_ROWS
