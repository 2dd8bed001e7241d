// Dot products of INT8 weight rows with float32 activations: R rows and T tokens at a time, a group
// summed before it is scaled. As in linear/dot_template.h, each step asks for the next R rows in
// the order they lie in memory.

CK_INLINE vf ck(int8_widen)(const int8_t *p) {
  vc bytes;
  memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(__builtin_convertvector(bytes, vi), vf);
}

// R rows from `row` on and T tokens; x and y point at the first of these.
CK_INLINE void ck(int8_tile)(const int R, const int T, ck_int8_matrix w, size_t row, ck_rows x,
                             const float *bias, ck_output y) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const int8_t *codes = w.codes + row * w.columns;
  const uintptr_t ahead = (uintptr_t)codes + R * w.columns;
  const float *scales = w.scales + row * groups;
  vf sums[4][3] = {};
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    vf parts[4][3] = {};
    for (; c + 64 <= end; c += 64) {
      CK_EACH(r, R) __builtin_prefetch((const void *)(ahead + R * c + r * 64), 0, 2);
      CK_UNROLL
      for (int i = 0; i < 64; i += CK_LANES)
        CK_EACH(r, R) {
          vf code = ck(int8_widen)(codes + r * w.columns + c + i);
          CK_EACH(t, T)
            parts[r][t] = parts[r][t] + code * ck(load)(x.values + t * x.stride + c + i);
        }
    }
    for (; c < end; c += CK_LANES) {
      const size_t left = end - c < CK_LANES ? end - c : CK_LANES;
      CK_EACH(r, R) {
        int8_t tail[CK_LANES] = {0};
        memcpy(tail, codes + r * w.columns + c, left);
        vf code = ck(int8_widen)(tail);
        CK_EACH(t, T) {
          const float *p = x.values + t * x.stride + c;
          vf value = left == CK_LANES ? ck(load)(p) : ck(load_some)(p, left, 0);
          parts[r][t] = parts[r][t] + code * value;
        }
      }
    }
    c = end;
    CK_EACH(r, R)
      CK_EACH(t, T) sums[r][t] = sums[r][t] + parts[r][t] * scales[r * groups + g];
  }
  CK_EACH(r, R)
    CK_EACH(t, T)
      y.values[t * y.stride + row + r] = ck(sum)(sums[r][t]) + (bias ? bias[row + r] : 0.0f);
}

CK_INLINE void ck(int8_tokens)(const int R, ck_int8_matrix w, size_t row, ck_rows x,
                               const float *bias, ck_output y) {
  for (size_t left = x.count; left > 0;) {
    size_t n = left >= 3 ? 3 : 1;
    if (n == 3) ck(int8_tile)(R, 3, w, row, x, bias, y);
    else ck(int8_tile)(R, 1, w, row, x, bias, y);
    x.values += n * x.stride;
    y.values += n * y.stride;
    left -= n;
  }
}

#if CK_ISA == CK_AVX512
#define CK_ROWS 4
#else
#define CK_ROWS 2
#endif

static void ck(int8_dots)(ck_int8_matrix w, ck_rows x, const float *bias, ck_output y) {
  size_t r = 0;
  for (; r + CK_ROWS <= w.rows; r += CK_ROWS) ck(int8_tokens)(CK_ROWS, w, r, x, bias, y);
  for (; r < w.rows; r++) ck(int8_tokens)(1, w, r, x, bias, y);
}
#undef CK_ROWS
