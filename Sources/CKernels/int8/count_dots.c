// Dot products of INT8 weight rows with rows of digits: exact in 32 bits within a group.

#include "int8.h"

#define CK_TEMPLATE "../int8/count_dots_template.h"
#include "../support/variants.h"

#if defined(__x86_64__)
CK_TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")

// vpdpbusd multiplies unsigned by signed bytes: codes enter as code + 128, and every group's sum
// starts at -128 times the sum of its digits.
CK_INLINE void tile(const int R, const int T, ck_int8_matrix w, size_t row, ck_digits x,
                    ck_output y) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const int8_t *codes = w.codes + row * w.columns;
  const uintptr_t ahead = (uintptr_t)codes + R * w.columns;
  const float *scales = w.scales + row * groups;
  const __m512i flip = _mm512_set1_epi8((char)0x80);
  __m512 totals[4][3];
  CK_EACH(r, R)
    CK_EACH(t, T) totals[r][t] = _mm512_setzero_ps();
  for (size_t g = 0, c = 0; g < groups; g++) {
    const size_t end = w.columns - c < w.group ? w.columns : c + w.group;
    __m512i sums[4][3];
    CK_EACH(t, T) {
      __m512i start = _mm512_maskz_set1_epi32(1, x.offsets[t * groups + g]);
      CK_EACH(r, R) sums[r][t] = start;
    }
    for (; c + 64 <= end; c += 64) {
      CK_EACH(r, R) {
        __builtin_prefetch((const void *)(ahead + R * c + r * 64), 0, 2);
        __m512i code = _mm512_xor_si512(_mm512_loadu_si512(codes + r * w.columns + c), flip);
        CK_EACH(t, T)
          sums[r][t] = _mm512_dpbusd_epi32(sums[r][t], code,
                                           _mm512_loadu_si512(x.values + t * x.stride + c));
      }
    }
    if (c < end) {
      const __mmask64 mask = ((__mmask64)1 << (end - c)) - 1;
      CK_EACH(r, R) {
        __m512i code =
            _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, codes + r * w.columns + c), flip);
        CK_EACH(t, T)
          sums[r][t] = _mm512_dpbusd_epi32(
              sums[r][t], code, _mm512_maskz_loadu_epi8(mask, x.values + t * x.stride + c));
      }
      c = end;
    }
    CK_EACH(r, R)
      CK_EACH(t, T)
        totals[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][t]),
                                       _mm512_set1_ps(scales[r * groups + g]), totals[r][t]);
  }
  CK_EACH(r, R)
    CK_EACH(t, T) y.values[t * y.stride + row + r] = _mm512_reduce_add_ps(totals[r][t]);
}

CK_INLINE void all_planes(const int R, ck_int8_matrix w, size_t row, ck_digits x, ck_output y) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  for (size_t left = x.count; left > 0;) {
    size_t n = left >= 3 ? 3 : 1;
    if (n == 3) tile(R, 3, w, row, x, y);
    else tile(R, 1, w, row, x, y);
    x.values += n * x.stride;
    x.offsets += n * groups;
    y.values += n * y.stride;
    left -= n;
  }
}

static void count_dots_vnni(ck_int8_matrix w, ck_digits x, ck_output y) {
  size_t r = 0;
  for (; r + 4 <= w.rows; r += 4) all_planes(4, w, r, x, y);
  for (; r < w.rows; r++) all_planes(1, w, r, x, y);
}
CK_TARGET_END
#endif

void ck_int8_count_dots(ck_isa isa, ck_int8_matrix w, ck_digits digits, ck_output sums) {
#if defined(__x86_64__)
  if (isa >= CK_AVX512_VNNI) return count_dots_vnni(w, digits, sums);
#endif
  CK_DISPATCH(count_dots, w, digits, sums);
}
