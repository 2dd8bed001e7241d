// The same without vpdpbusd: bytes are widened to 16 bits and multiplied pairwise into 32
// (vpmaddwd), which cannot saturate as vpmaddubsw can.

#if CK_ISA >= CK_AVX2
typedef __m256i CK(isum);
CK_INLINE __m256i CK(iwiden)(const int8_t *p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
}
CK_INLINE __m256i CK(iadd)(__m256i sum, __m256i a, __m256i b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#else
typedef vi CK(isum);
CK_INLINE vi CK(iwiden)(const int8_t *p) {
  vc bytes;
  memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, vi);
}
CK_INLINE vi CK(iadd)(vi sum, vi a, vi b) { return sum + a * b; }
#endif

CK_INLINE int32_t CK(itotal)(CK(isum) sum) {
  int32_t lanes[sizeof sum / 4], total = 0;
  memcpy(lanes, &sum, sizeof sum);
  for (size_t i = 0; i < sizeof sum / 4; i++) total += lanes[i];
  return total;
}

// One step of 16 inputs.
CK_INLINE void CK(istep)(const int R, const int T, const int8_t *codes, size_t code_stride,
                         const int8_t *x, size_t stride, CK(isum) sums[2][4]) {
  CK(isum) code[2];
  _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
      code[r] = CK(iwiden)(codes + (size_t)r * code_stride);
  _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) {
    CK(isum) value = CK(iwiden)(x + (size_t)t * stride);
    _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
        sums[r][t] = CK(iadd)(sums[r][t], code[r], value);
  }
}

CK_INLINE void CK(itile)(const int R, const int T, ck_int8_matrix w, size_t row, const int8_t *x,
                         size_t stride, float *y, size_t y_stride) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const int8_t *codes = w.codes + row * w.columns;
  const float *scales = w.scales + row * groups;
  float totals[2][4] = {};
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    CK(isum) sums[2][4] = {};
    for (; c + 16 <= end; c += 16)
      CK(istep)(R, T, codes + c, w.columns, x + c, stride, sums);
    if (c < end) {
      int8_t code_tail[2][16] = {}, digit_tail[4][16] = {};
      for (int r = 0; r < R; r++)
        memcpy(code_tail[r], codes + (size_t)r * w.columns + c, end - c);
      for (int t = 0; t < T; t++) memcpy(digit_tail[t], x + (size_t)t * stride + c, end - c);
      CK(istep)(R, T, code_tail[0], 16, digit_tail[0], 16, sums);
      c = end;
    }
    _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)
            totals[r][t] += (float)CK(itotal)(sums[r][t]) * scales[(size_t)r * groups + g];
  }
  _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)
      _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)
          y[(size_t)t * y_stride + row + (size_t)r] = totals[r][t];
}

CK_INLINE void CK(iplanes)(const int R, ck_int8_matrix w, size_t row, const int8_t *x,
                           size_t stride, size_t planes, float *y, size_t y_stride) {
  size_t p = 0;
  for (; p + 4 <= planes; p += 4)
    CK(itile)(R, 4, w, row, x + p * stride, stride, y + p * y_stride, y_stride);
  for (; p < planes; p++)
    CK(itile)(R, 1, w, row, x + p * stride, stride, y + p * y_stride, y_stride);
}

static void CK(count_dots)(ck_int8_matrix w, const int8_t *x, size_t stride, size_t planes,
                           float *y, size_t y_stride) {
  size_t r = 0;
  for (; r + 2 <= w.rows; r += 2) CK(iplanes)(2, w, r, x, stride, planes, y, y_stride);
  for (; r < w.rows; r++) CK(iplanes)(1, w, r, x, stride, planes, y, y_stride);
}
