// The same without vpdpbusd: bytes are widened to 16 bits and multiplied pairwise into 32
// (vpmaddwd), which cannot saturate as vpmaddubsw can.

#if CK_ISA >= CK_AVX2
typedef __m256i ck(isum);
CK_INLINE __m256i ck(iwiden)(const int8_t *p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
}
CK_INLINE __m256i ck(iadd)(__m256i sum, __m256i a, __m256i b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#else
typedef vi ck(isum);
CK_INLINE vi ck(iwiden)(const int8_t *p) {
  vc bytes;
  memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, vi);
}
CK_INLINE vi ck(iadd)(vi sum, vi a, vi b) { return sum + a * b; }
#endif

CK_INLINE int32_t ck(itotal)(ck(isum) sum) {
  int32_t lanes[sizeof sum / 4], total = 0;
  memcpy(lanes, &sum, sizeof sum);
  for (size_t i = 0; i < sizeof sum / 4; i++) total += lanes[i];
  return total;
}

// One step of 16 inputs.
CK_INLINE void ck(istep)(const int R, const int T, const int8_t *codes, size_t code_stride,
                         const int8_t *x, size_t stride, ck(isum) sums[2][4]) {
  ck(isum) code[2];
  CK_EACH(r, R) code[r] = ck(iwiden)(codes + (size_t)r * code_stride);
  CK_EACH(t, T) {
    ck(isum) value = ck(iwiden)(x + (size_t)t * stride);
    CK_EACH(r, R) sums[r][t] = ck(iadd)(sums[r][t], code[r], value);
  }
}

// R rows from `row` on and T rows of digits; x and y point at the first of these.
CK_INLINE void ck(itile)(const int R, const int T, ck_int8_matrix w, size_t row, ck_digits x,
                         ck_output y) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const int8_t *codes = w.codes + row * w.columns;
  const float *scales = w.scales + row * groups;
  float totals[2][4] = {};
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    ck(isum) sums[2][4] = {};
    for (; c + 16 <= end; c += 16)
      ck(istep)(R, T, codes + c, w.columns, x.values + c, x.stride, sums);
    if (c < end) {
      int8_t code_tail[2][16] = {}, digit_tail[4][16] = {};
      for (int r = 0; r < R; r++) memcpy(code_tail[r], codes + (size_t)r * w.columns + c, end - c);
      for (int t = 0; t < T; t++)
        memcpy(digit_tail[t], x.values + (size_t)t * x.stride + c, end - c);
      ck(istep)(R, T, code_tail[0], 16, digit_tail[0], 16, sums);
      c = end;
    }
    CK_EACH(r, R)
      CK_EACH(t, T) totals[r][t] += (float)ck(itotal)(sums[r][t]) * scales[(size_t)r * groups + g];
  }
  CK_EACH(r, R)
    CK_EACH(t, T) y.values[(size_t)t * y.stride + row + (size_t)r] = totals[r][t];
}

CK_INLINE void ck(iplanes)(const int R, ck_int8_matrix w, size_t row, ck_digits x, ck_output y) {
  for (size_t left = x.count; left > 0;) {
    size_t n = left >= 4 ? 4 : 1;
    if (n == 4) ck(itile)(R, 4, w, row, x, y);
    else ck(itile)(R, 1, w, row, x, y);
    x.values += n * x.stride;
    y.values += n * y.stride;
    left -= n;
  }
}

static void ck(count_dots)(ck_int8_matrix w, ck_digits x, ck_output y) {
  size_t r = 0;
  for (; r + 2 <= w.rows; r += 2) ck(iplanes)(2, w, r, x, y);
  for (; r < w.rows; r++) ck(iplanes)(1, w, r, x, y);
}
