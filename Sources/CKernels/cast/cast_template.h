// float32 to bfloat16 and IEEE half, ties to even, NaNs quiet.

CK_INLINE vh ck(narrow_bf16)(vf x) {
  vu bits = (vu)x;
  vu rounded = bits + 0x7fff + ((bits >> 16) & 1);
  vu nan = (vu)(x != x);
  return __builtin_convertvector(((rounded & ~nan) | ((bits | 0x400000) & nan)) >> 16, vh);
}

CK_INLINE vh ck(narrow_f16)(vf x) {
#if CK_ISA == CK_AVX512
  return (vh)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif CK_ISA == CK_AVX2
  vf8 low = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7);
  vf8 high = __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
  return (vh)_mm256_set_m128i(_mm256_cvtps_ph((__m256)high, _MM_FROUND_TO_NEAREST_INT),
                              _mm256_cvtps_ph((__m256)low, _MM_FROUND_TO_NEAREST_INT));
#else
  vu bits = (vu)x;
  vu sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  vu normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - (112u << 23)) >> 13;
  // Below 2^-14 halves are multiples of 2^-24: adding 0.5 makes the FPU round there.
  vu small = (vu)((vf)magnitude + 0.5f) - 0x3f000000;
  vu is_small = (vu)((vi)magnitude < 0x38800000);
  vu is_infinite = (vu)((vi)magnitude >= 0x477ff000);
  vu is_nan = (vu)((vi)magnitude > 0x7f800000);
  vu result = (small & is_small) | (normal & ~is_small);
  result = (result & ~is_infinite) | (0x7c00 & is_infinite);
  result = (result & ~is_nan) | ((0x7e00 | ((magnitude >> 13) & 0x3ff)) & is_nan);
  return __builtin_convertvector(sign | result, vh);
#endif
}

CK_INLINE vh ck(narrow)(const int to_bf16, vf x) {
  return to_bf16 ? ck(narrow_bf16)(x) : ck(narrow_f16)(x);
}

CK_INLINE void ck(narrow_row)(const int to_bf16, const float *x, uint8_t *y, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vh h = ck(narrow)(to_bf16, ck(load)(x + i));
    memcpy(y + 2 * i, &h, sizeof h);
  }
  if (i < n) {
    vh h = ck(narrow)(to_bf16, ck(load_some)(x + i, n - i, 0));
    memcpy(y + 2 * i, &h, 2 * (n - i));
  }
}

static void ck(to_bf16)(const float *x, uint8_t *y, size_t n) { ck(narrow_row)(1, x, y, n); }
static void ck(to_f16)(const float *x, uint8_t *y, size_t n) { ck(narrow_row)(0, x, y, n); }
