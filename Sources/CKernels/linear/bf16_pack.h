// Operands of bf16_product.c in the order its tiles read them.
//
// A panel holds a few rows of A, or columns of B, for all of k: first their values at k = 0 and 1
// as pairs in 32-bit words, then those at 2 and 3, and so on. What lies past an edge is zero.

#define PAIR_BLOCK 32

// The first `count` lanes of 16; none when negative.
CK_INLINE __mmask16 first_lanes(ptrdiff_t count) {
  return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

// 16 pairs that lie next to each other in a row of which `left` values remain.
CK_INLINE __m512i pairs_in_row(const float *p, ptrdiff_t left) {
  __m512 low = _mm512_maskz_loadu_ps(first_lanes(left), p);
  __m512 high = _mm512_maskz_loadu_ps(first_lanes(left - 16), p + 16);
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// 16 pairs whose halves lie one below the other in two rows, of which `left` columns remain.
CK_INLINE __m512i pairs_in_columns(const float *upper, const float *lower, ptrdiff_t left) {
  static const uint16_t alternating[32]
      __attribute__((aligned(64))) = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  __mmask16 mask = first_lanes(left);
  __m512 low = _mm512_maskz_loadu_ps(mask, upper);
  __m512 high = lower ? _mm512_maskz_loadu_ps(mask, lower) : _mm512_setzero_ps();
  return _mm512_permutexvar_epi16(_mm512_load_si512(alternating),
                                  (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// Pairs of four rows; pairs 4 L + i of all four become 128-bit lane L of columns[i].
CK_INLINE void transpose_four(const __m512i rows[4], __m512i columns[4]) {
  __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]), b = _mm512_unpackhi_epi32(rows[0], rows[1]);
  __m512i c = _mm512_unpacklo_epi32(rows[2], rows[3]), d = _mm512_unpackhi_epi32(rows[2], rows[3]);
  columns[0] = _mm512_unpacklo_epi64(a, c);
  columns[1] = _mm512_unpackhi_epi64(a, c);
  columns[2] = _mm512_unpacklo_epi64(b, d);
  columns[3] = _mm512_unpackhi_epi64(b, d);
}

// A block of 4 * `fours` rows and 32 values of k, transposed four rows at a time.
CK_INLINE void load_block(const int fours, ck_operand x, size_t row, size_t rows, size_t index,
                          size_t left, __m512i columns[4][4]) {
  for (int f = 0; f < fours; f++) {
    __m512i pairs[4];
    for (int i = 0; i < 4; i++) {
      size_t r = row + 4 * f + i;
      pairs[i] = r < rows ? pairs_in_row(skip(x, r, index).values, (ptrdiff_t)left)
                          : _mm512_setzero_si512();
    }
    transpose_four(pairs, columns[f]);
  }
}

// Panels of TILE_ROWS rows stored along k.
CK_INLINE void pack_a_rows(ck_operand a, size_t rows, size_t k, uint32_t *panel) {
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
  const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  for (size_t r = 0; r < rows; r += TILE_ROWS, panel += PAIRS(k) * TILE_ROWS) {
    for (size_t p = 0; p < k; p += PAIR_BLOCK) {
      __m512i columns[4][4];
      uint32_t whole[16 * TILE_ROWS];
      uint32_t *target = panel + p / 2 * TILE_ROWS;
      uint32_t *out = k - p >= PAIR_BLOCK ? target : whole;
      load_block(2, a, r, rows, p, k - p, columns);
      for (int i = 0; i < 4; i++) {
        __m512i x = _mm512_permutex2var_epi64(columns[0][i], low, columns[1][i]);
        __m512i y = _mm512_permutex2var_epi64(columns[0][i], high, columns[1][i]);
        __m256i quarters[4] = {_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1),
                               _mm512_castsi512_si256(y), _mm512_extracti64x4_epi64(y, 1)};
        for (int lane = 0; lane < 4; lane++)
          _mm256_storeu_si256((__m256i *)(out + (4 * lane + i) * TILE_ROWS), quarters[lane]);
      }
      if (out == whole) memcpy(target, whole, PAIRS(k - p) * TILE_ROWS * sizeof *whole);
    }
  }
}

// Panels of TILE_ROWS columns of a matrix stored across k.
CK_INLINE void pack_a_columns(ck_operand a, size_t rows, size_t k, uint32_t *panels) {
  const size_t pairs = PAIRS(k);
  for (size_t p = 0; p < pairs; p++) {
    const float *upper = a.values + (ptrdiff_t)(2 * p) * a.stride;
    const float *lower = 2 * p + 1 < k ? upper + a.stride : NULL;
    for (size_t r = 0; r < rows; r += 2 * TILE_ROWS) {
      __m512i words = pairs_in_columns(upper + r, lower ? lower + r : NULL, (ptrdiff_t)(rows - r));
      uint32_t *out = panels + r * pairs + p * TILE_ROWS;
      _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(words));
      if (r + TILE_ROWS < rows)
        _mm256_storeu_si256((__m256i *)(out + pairs * TILE_ROWS),
                            _mm512_extracti64x4_epi64(words, 1));
    }
  }
}

// Columns of the panel of B that starts at column j: whole vectors, fewer in the last one.
CK_INLINE size_t panel_width(size_t n, size_t j) {
  size_t width = (n - j + 15) / 16 * 16;
  return width < TILE_COLUMNS ? width : TILE_COLUMNS;
}

// Panels of TILE_COLUMNS rows of a B stored along k.
CK_INLINE void pack_b_rows(ck_operand b, size_t n, size_t k, uint32_t *panels) {
  for (size_t c = 0; c < n; c += 16) {
    const size_t first = c / TILE_COLUMNS * TILE_COLUMNS, width = panel_width(n, first);
    for (size_t p = 0; p < k; p += PAIR_BLOCK) {
      __m512i columns[4][4];
      load_block(4, b, c, n, p, k - p, columns);
      uint32_t *out = panels + first * PAIRS(k) + p / 2 * width + (c - first);
      const size_t left = PAIRS(k - p);
      for (size_t i = 0; i < 4; i++) {
        __m512i a = columns[0][i], b = columns[1][i], c = columns[2][i], d = columns[3][i];
        __m512i ab = _mm512_shuffle_i32x4(a, b, 0x44), cd = _mm512_shuffle_i32x4(c, d, 0x44);
        __m512i AB = _mm512_shuffle_i32x4(a, b, 0xee), CD = _mm512_shuffle_i32x4(c, d, 0xee);
        __m512i lanes[4] = {_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd),
                            _mm512_shuffle_i32x4(AB, CD, 0x88), _mm512_shuffle_i32x4(AB, CD, 0xdd)};
        for (size_t lane = 0; lane < 4; lane++)
          if (4 * lane + i < left) _mm512_storeu_si512(out + (4 * lane + i) * width, lanes[lane]);
      }
    }
  }
}

// Panels of TILE_COLUMNS columns of a B stored across k.
CK_INLINE void pack_b_columns(ck_operand b, size_t n, size_t k, uint32_t *panels) {
  for (size_t p = 0; p < PAIRS(k); p++) {
    const float *upper = b.values + (ptrdiff_t)(2 * p) * b.stride;
    const float *lower = 2 * p + 1 < k ? upper + b.stride : NULL;
    for (size_t c = 0; c < n; c += 16) {
      const size_t first = c / TILE_COLUMNS * TILE_COLUMNS, width = panel_width(n, first);
      _mm512_storeu_si512(
          panels + first * PAIRS(k) + p * width + (c - first),
          pairs_in_columns(upper + c, lower ? lower + c : NULL, (ptrdiff_t)(n - c)));
    }
  }
}
