// Dot products of INT8 weight rows with rows of digits: exact in 32 bits within a group.

#include "int8.h"

#define CK_TEMPLATE "../int8/count_dots_template.h"
#include "../support/variants.h"

#if defined(__x86_64__)
#define INLINE static inline __attribute__((always_inline))
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma"))), \
    apply_to = function)

// vpdpbusd multiplies unsigned by signed bytes: codes enter as code + 128, and every group's sum
// starts at -128 times the sum of its digits.
INLINE void tile(const int R, const int T, ck_int8_matrix w, size_t row, const int8_t *x,
                 size_t stride, const int32_t *offsets, float *y, size_t y_stride) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const int8_t *codes = w.codes + row * w.columns;
  const uintptr_t ahead = (uintptr_t)codes + R * w.columns;
  const float *scales = w.scales + row * groups;
  const __m512i flip = _mm512_set1_epi8((char)0x80);
  __m512 totals[4][3];
#pragma clang loop unroll(full)
  for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) totals[r][t] = _mm512_setzero_ps();
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    __m512i sums[4][3];
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) {
      __m512i start = _mm512_maskz_set1_epi32(1, offsets[t * groups + g]);
#pragma clang loop unroll(full)
      for (int r = 0; r < R; r++) sums[r][t] = start;
    }
    for (; c + 64 <= end; c += 64) {
#pragma clang loop unroll(full)
      for (int r = 0; r < R; r++) {
        __builtin_prefetch((const void *)(ahead + R * c + r * 64), 0, 2);
        __m512i code = _mm512_xor_si512(_mm512_loadu_si512(codes + r * w.columns + c), flip);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++)
          sums[r][t] =
              _mm512_dpbusd_epi32(sums[r][t], code, _mm512_loadu_si512(x + t * stride + c));
      }
    }
    if (c < end) {
      const __mmask64 mask = ((__mmask64)1 << (end - c)) - 1;
#pragma clang loop unroll(full)
      for (int r = 0; r < R; r++) {
        __m512i code =
            _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, codes + r * w.columns + c), flip);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++)
          sums[r][t] = _mm512_dpbusd_epi32(sums[r][t], code,
                                           _mm512_maskz_loadu_epi8(mask, x + t * stride + c));
      }
      c = end;
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
      for (int t = 0; t < T; t++)
        totals[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][t]),
                                       _mm512_set1_ps(scales[r * groups + g]), totals[r][t]);
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) y[t * y_stride + row + r] = _mm512_reduce_add_ps(totals[r][t]);
}

INLINE void all_planes(const int R, ck_int8_matrix w, size_t row, const int8_t *x, size_t stride,
                       const int32_t *offsets, size_t planes, float *y, size_t y_stride) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  size_t p = 0;
  for (; p + 3 <= planes; p += 3)
    tile(R, 3, w, row, x + p * stride, stride, offsets + p * groups, y + p * y_stride, y_stride);
  for (; p < planes; p++)
    tile(R, 1, w, row, x + p * stride, stride, offsets + p * groups, y + p * y_stride, y_stride);
}

static void count_dots_vnni(ck_int8_matrix w, const int8_t *x, size_t stride,
                            const int32_t *offsets, size_t planes, float *y, size_t y_stride) {
  size_t r = 0;
  for (; r + 4 <= w.rows; r += 4) all_planes(4, w, r, x, stride, offsets, planes, y, y_stride);
  for (; r < w.rows; r++) all_planes(1, w, r, x, stride, offsets, planes, y, y_stride);
}
#pragma clang attribute pop
#else
static void count_dots_vnni(ck_int8_matrix w, const int8_t *x, size_t stride,
                            const int32_t *offsets, size_t planes, float *y, size_t y_stride) {
  (void)w, (void)x, (void)stride, (void)offsets, (void)planes, (void)y, (void)y_stride;
  __builtin_trap();
}
#endif

static void count_dots(ck_int8_matrix w, const int8_t *x, size_t stride, size_t planes, float *y,
                       size_t y_stride) {
  CK_DISPATCH(count_dots, w, x, stride, planes, y, y_stride);
}

void ck_int8_count_dots(ck_int8_matrix w, const int8_t *digits, size_t stride,
                        const int32_t *offsets, size_t planes, float *sums, size_t sums_stride) {
  if (ck_isa_vnni())
    return count_dots_vnni(w, digits, stride, offsets, planes, sums, sums_stride);
  count_dots(w, digits, stride, planes, sums, sums_stride);
}
