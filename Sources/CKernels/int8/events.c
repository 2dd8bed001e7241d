// Products with INT8 weights that skip silent channels: one spike moves one column of the weight.
//
// Four active channels of a group are taken together: their bytes are interleaved into words and
// multiplied by the four digits. What is read lies in pieces of 256 bytes; without asking for them
// 64 channels ahead, into the second-level cache, their latency halves the speed (Zen 4).

#include "int8.h"

#include <string.h>

#include "../support/compiler.h"

#define BLOCK CK_EVENT_BLOCK

// The row that byte `b` of a block belongs to.
static size_t row_of(size_t b) {
  const size_t inner = b % 64;
  return b - inner + inner / 4 % 4 * 16 + inner / 16 * 4 + inner % 4;
}

void ck_event_pack(ck_int8_matrix w, size_t row, size_t count, uint8_t *bytes, float *scales) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  for (size_t b = 0; b < BLOCK; b++) {
    const size_t r = row_of(b);
    for (size_t c = 0; c < w.columns; c++)
      bytes[c * BLOCK + b] = (uint8_t)((r < count ? w.codes[(row + r) * w.columns + c] : 0) + 128);
  }
  for (size_t g = 0; g < groups; g++)
    for (size_t r = 0; r < BLOCK; r++)
      scales[g * BLOCK + r] = r < count ? w.scales[(row + r) * groups + g] : 0;
}

void ck_event_list(const int8_t *digits, size_t columns, size_t group, uint32_t *channels,
                   int8_t *active, uint32_t *starts) {
  uint32_t count = 0;
  *starts++ = 0;
  for (size_t first = 0; first < columns; first += group) {
    const size_t end = columns - first < group ? columns : first + group;
    for (size_t c = first; c < end; c++) {
      channels[count] = (uint32_t)c;
      active[count] = digits[c];
      count += digits[c] != 0;
    }
    while (count % 4) {
      channels[count] = (uint32_t)first;
      active[count++] = 0;
    }
    *starts++ = count;
  }
  for (size_t i = 0; i < CK_EVENT_AHEAD; i++) channels[count + i] = 0;
}

#if defined(__x86_64__)
#include <immintrin.h>

CK_TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
static void block_vnni(const uint8_t *bytes, const float *scales, size_t groups, ck_events e,
                       float *out) {
  float totals[BLOCK] __attribute__((aligned(64))) = {0};
  for (size_t g = 0; g < groups; g++) {
    __m512i sums[BLOCK / 16];
    for (int i = 0; i < BLOCK / 16; i++) sums[i] = _mm512_set1_epi32(e.offsets[g]);
    for (uint32_t p = e.starts[g]; p < e.starts[g + 1]; p += 4) {
      const uint8_t *rows[4];
      for (int i = 0; i < 4; i++) {
        rows[i] = bytes + (size_t)e.channels[p + i] * BLOCK;
        const uint8_t *ahead = bytes + (size_t)e.channels[p + CK_EVENT_AHEAD - 4 + i] * BLOCK;
        for (int line = 0; line < BLOCK; line += 64) __builtin_prefetch(ahead + line, 0, 2);
      }
      int32_t digits;
      memcpy(&digits, e.active + p, sizeof digits);
      const __m512i four = _mm512_set1_epi32(digits);
      CK_EACH(v, BLOCK / 64) {
        __m512i a = _mm512_loadu_si512(rows[0] + 64 * v), b = _mm512_loadu_si512(rows[1] + 64 * v);
        __m512i c = _mm512_loadu_si512(rows[2] + 64 * v), d = _mm512_loadu_si512(rows[3] + 64 * v);
        __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
        __m512i low2 = _mm512_unpacklo_epi8(c, d), high2 = _mm512_unpackhi_epi8(c, d);
        __m512i *sum = sums + 4 * v;
        sum[0] = _mm512_dpbusd_epi32(sum[0], _mm512_unpacklo_epi16(low, low2), four);
        sum[1] = _mm512_dpbusd_epi32(sum[1], _mm512_unpackhi_epi16(low, low2), four);
        sum[2] = _mm512_dpbusd_epi32(sum[2], _mm512_unpacklo_epi16(high, high2), four);
        sum[3] = _mm512_dpbusd_epi32(sum[3], _mm512_unpackhi_epi16(high, high2), four);
      }
    }
    for (int i = 0; i < BLOCK / 16; i++) {
      float *total = totals + 16 * i;
      _mm512_store_ps(total, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i]),
                                             _mm512_loadu_ps(scales + g * BLOCK + 16 * i),
                                             _mm512_load_ps(total)));
    }
  }
  memcpy(out, totals, sizeof totals);
}
CK_TARGET_END
#endif

static void block_generic(const uint8_t *bytes, const float *scales, size_t groups, ck_events e,
                          float *out) {
  float totals[BLOCK] = {0};
  for (size_t g = 0; g < groups; g++) {
    int32_t sums[BLOCK];
    for (size_t b = 0; b < BLOCK; b++) sums[b] = e.offsets[g];
    for (uint32_t p = e.starts[g]; p < e.starts[g + 1]; p++) {
      const uint8_t *row = bytes + (size_t)e.channels[p] * BLOCK;
      const int32_t digit = e.active[p];
      for (size_t b = 0; b < BLOCK; b++) sums[b] += row[b] * digit;
    }
    for (size_t b = 0; b < BLOCK; b++)
      totals[row_of(b)] += (float)sums[b] * scales[g * BLOCK + row_of(b)];
  }
  memcpy(out, totals, sizeof totals);
}

void ck_event_sums(ck_isa isa, ck_event_matrix w, ck_events events, size_t first_block,
                   size_t blocks, float *sums) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  (void)isa;
  for (size_t block = first_block; block < first_block + blocks; block++) {
    const uint8_t *bytes = w.bytes + block * w.columns * BLOCK;
    const float *scales = w.scales + block * groups * BLOCK;
    float *out = sums + block * BLOCK;
#if defined(__x86_64__)
    if (isa >= CK_AVX512_VNNI) {
      block_vnni(bytes, scales, groups, events, out);
      continue;
    }
#endif
    block_generic(bytes, scales, groups, events, out);
  }
}
