// INT8 weights times many rows of digits by vpdpbusd: 64 multiply-adds per instruction, exact in 32
// bits within a group of inputs, then scaled and summed in float32.
//
// Weights are packed by panels of 48 rows, four inputs of a row in one 32-bit word; digits by
// blocks of 8 rows beforehand. A tile of 8 by 48 integer sums stays in registers for a group.

#include "int8.h"

#include <string.h>

#include "../support/compiler.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define ROWS CK_COUNT_ROWS
#define VECTORS (CK_COUNT_COLUMNS / 16)

CK_TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")

// Exchanges rows and columns of 16 by 16 words.
CK_INLINE void transpose(__m512i x[16]) {
  __m512i a[16];
  CK_UNROLL
  for (int i = 0; i < 16; i += 4) {
    __m512i low = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    __m512i high = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    __m512i low2 = _mm512_unpacklo_epi32(x[i + 2], x[i + 3]);
    __m512i high2 = _mm512_unpackhi_epi32(x[i + 2], x[i + 3]);
    a[i] = _mm512_unpacklo_epi64(low, low2);
    a[i + 1] = _mm512_unpackhi_epi64(low, low2);
    a[i + 2] = _mm512_unpacklo_epi64(high, high2);
    a[i + 3] = _mm512_unpackhi_epi64(high, high2);
  }
  // a[4 q + j] holds columns j, 4 + j, 8 + j, 12 + j of rows 4 q to 4 q + 3, one per 128-bit lane.
  CK_EACH(j, 4) {
    __m512i low = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x44);
    __m512i high = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xee);
    __m512i low2 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x44);
    __m512i high2 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xee);
    x[j] = _mm512_shuffle_i32x4(low, low2, 0x88);
    x[4 + j] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    x[8 + j] = _mm512_shuffle_i32x4(high, high2, 0x88);
    x[12 + j] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
}

// `count` weight rows from `row` on, inputs first..<first + depth, as code + 128; rows that do not
// exist are 0. Word (k, v, lane) is at panel[(k · vectors + v) · 16 + lane].
CK_INLINE void pack_codes(ck_int8_matrix w, size_t row, size_t count, size_t first, size_t depth,
                          int vectors, int32_t *panel) {
  const __m512i flip = _mm512_set1_epi8((char)0x80);
  for (int v = 0; v < vectors; v++) {
    for (size_t c = 0; c < depth; c += 64) {
      const size_t left = depth - c < 64 ? depth - c : 64;
      const __mmask64 mask = left == 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
      __m512i words[16];
      CK_EACH(i, 16) {
        const size_t r = 16 * (size_t)v + i;
        words[i] = r < count
                       ? _mm512_xor_si512(_mm512_maskz_loadu_epi8(
                                              mask, w.codes + (row + r) * w.columns + first + c),
                                          flip)
                       : _mm512_setzero_si512();
      }
      transpose(words);
      const size_t steps = (left + 3) / 4;
      for (size_t i = 0; i < steps; i++)
        _mm512_store_si512(panel + ((c / 4 + i) * (size_t)vectors + (size_t)v) * 16, words[i]);
    }
  }
}

// scales[g][lane] of the groups that lie in the panel.
CK_INLINE void pack_scales(ck_int8_matrix w, size_t row, size_t count, size_t first, size_t groups,
                           float *scales) {
  const size_t all = (w.columns + w.group - 1) / w.group;
  for (size_t g = 0; g < groups; g++)
    for (size_t r = 0; r < CK_COUNT_COLUMNS; r++)
      scales[g * CK_COUNT_COLUMNS + r] =
          r < count ? w.scales[(row + r) * all + first / w.group + g] : 0;
}

// totals [8, 48] += the products of 8 rows of digits with a panel.
CK_INLINE void tile(const int vectors, const int32_t *digits, const int32_t *offsets,
                    size_t offset_stride, const int32_t *panel, const float *scales, size_t depth,
                    size_t group, float *totals) {
  for (size_t c = 0, g = 0; c < depth; g++) {
    const size_t end = depth - c < group ? depth : c + group;
    __m512i sums[ROWS][VECTORS];
    CK_EACH(i, ROWS)
      CK_EACH(v, vectors) sums[i][v] = _mm512_set1_epi32(offsets[(size_t)i * offset_stride + g]);
    for (; c < end; c += 4) {
      __m512i codes[VECTORS];
      CK_EACH(v, vectors)
        codes[v] = _mm512_load_si512(panel + (c / 4 * (size_t)vectors + (size_t)v) * 16);
      CK_EACH(i, ROWS) {
        __m512i digit = _mm512_set1_epi32(digits[c / 4 * ROWS + (size_t)i]);
        CK_EACH(v, vectors) sums[i][v] = _mm512_dpbusd_epi32(sums[i][v], codes[v], digit);
      }
    }
    CK_EACH(i, ROWS)
      CK_EACH(v, vectors) {
        float *total = totals + i * CK_COUNT_COLUMNS + 16 * v;
        _mm512_store_ps(total,
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i][v]),
                                        _mm512_load_ps(scales + g * CK_COUNT_COLUMNS + 16 * v),
                                        _mm512_load_ps(total)));
      }
  }
}

CK_INLINE void write_totals(const float *totals, size_t rows, size_t columns, int32_t adding,
                            float *out, size_t stride) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < columns; c += 16) {
      const __mmask16 mask = columns - c >= 16 ? 0xffff : (__mmask16)((1u << (columns - c)) - 1);
      float *target = out + i * stride + c;
      __m512 sum = _mm512_load_ps(totals + i * CK_COUNT_COLUMNS + c);
      if (adding) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, target));
      _mm512_mask_storeu_ps(target, mask, sum);
    }
  }
}

// -128 times the sums of 8 rows of digits over `depth` inputs.
CK_INLINE void part_offsets(const int32_t *digits, size_t depth, int32_t out[ROWS]) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums = _mm512_setzero_si512();
  // Two steps of 8 words; digits are padded with zeros to whole multiples of 64 inputs.
  for (size_t c = 0; c < depth; c += 8)
    sums = _mm512_dpbusd_epi32(sums, ones, _mm512_loadu_si512(digits + c / 4 * ROWS));
  __m256i both = _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
  _mm256_storeu_si256((__m256i *)out, _mm256_mullo_epi32(both, _mm256_set1_epi32(-128)));
}

static size_t at_most(size_t a, size_t b) { return a < b ? a : b; }

void ck_int8_count_product(ck_int8_matrix w, ck_digits digits, const int32_t *packed,
                           ck_output sums, void *scratch) {
  const size_t groups = (w.columns + w.group - 1) / w.group;
  const size_t most = at_most(CK_COUNT_DEPTH, (w.columns + 63) / 64 * 64);
  int32_t *panel = scratch;
  float *scales = (float *)(panel + most / 4 * CK_COUNT_COLUMNS);
  float totals[ROWS * CK_COUNT_COLUMNS] __attribute__((aligned(64)));
  int32_t starts[ROWS * (CK_COUNT_DEPTH / 32 + 1)];
  for (size_t row = 0; row < w.rows; row += CK_COUNT_COLUMNS) {
    const size_t count = at_most(CK_COUNT_COLUMNS, w.rows - row);
    const int vectors = (int)((count + 15) / 16);
    for (size_t first = 0; first < w.columns; first += CK_COUNT_DEPTH) {
      const size_t depth = at_most(CK_COUNT_DEPTH, w.columns - first);
      const size_t here = (depth + w.group - 1) / w.group;
      pack_codes(w, row, count, first, depth, vectors, panel);
      pack_scales(w, row, count, first, here, scales);
      for (size_t p = 0; p < digits.count; p += ROWS) {
        const size_t rows = at_most(ROWS, digits.count - p);
        const int32_t *block = packed + (p * digits.stride + first * ROWS) / 4;
        if (w.group > CK_COUNT_DEPTH) {
          part_offsets(block, depth, starts);
        } else {
          for (size_t i = 0; i < ROWS; i++)
            for (size_t g = 0; g < here; g++)
              starts[i * here + g] =
                  i < rows ? digits.offsets[(p + i) * groups + first / w.group + g] : 0;
        }
        memset(totals, 0, sizeof totals);
        switch (vectors) {
          case 3: tile(3, block, starts, here, panel, scales, depth, w.group, totals); break;
          case 2: tile(2, block, starts, here, panel, scales, depth, w.group, totals); break;
          default: tile(1, block, starts, here, panel, scales, depth, w.group, totals);
        }
        write_totals(totals, rows, count, first > 0, sums.values + p * sums.stride + row,
                     sums.stride);
      }
    }
  }
}
CK_TARGET_END
#else
void ck_int8_count_product(ck_int8_matrix w, ck_digits digits, const int32_t *packed,
                           ck_output sums, void *scratch) {
  (void)w, (void)digits, (void)packed, (void)sums, (void)scratch;
  __builtin_trap();
}
#endif

size_t ck_count_product_scratch(size_t columns, size_t group) {
  const size_t padded = (columns + 63) / 64 * 64;
  const size_t depth = padded < CK_COUNT_DEPTH ? padded : CK_COUNT_DEPTH;
  return depth * CK_COUNT_COLUMNS + ((depth + group - 1) / group) * CK_COUNT_COLUMNS * 4;
}
