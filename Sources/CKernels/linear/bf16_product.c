// Matrix products by vdpbf16ps: acc += a[2p] b[2p] + a[2p+1] b[2p+1] in 16 lanes, twice the
// multiply-adds per cycle of float32 (Zen 4).
//
// B is packed by blocks that fit the second-level cache (648 KB), A by a few rows at a time just
// before they are used. A tile of C stays in registers for a block of k.

#include "linear.h"

#include <string.h>

#include "../support/compiler.h"
#include "../support/scratch.h"

#if defined(__x86_64__)
#include <immintrin.h>

// 8 x 3 vectors of sums leave room for 3 of B and the values of A: 24 dot products per 11 loads.
#define TILE_ROWS 8
#define TILE_VECTORS 3
#define TILE_COLUMNS (16 * TILE_VECTORS)
// The longest stretch of k summed in registers, the rows of A packed at a time, and the most words
// of B.
#define DEPTH 576
#define BLOCK_ROWS 32
#define B_WORDS (576 * DEPTH / 2)
// Pairs that `k` values fill.
#define PAIRS(k) (((k) + 1) / 2)

CK_TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")

// The operand without its first rows and columns of the product.
CK_INLINE ck_operand skip(ck_operand x, size_t across, size_t along) {
  size_t row = x.depth_in_rows ? across : along, column = x.depth_in_rows ? along : across;
  x.values += (ptrdiff_t)row * x.stride + (ptrdiff_t)column;
  return x;
}

#include "bf16_pack.h"

typedef struct {
  float *values;
  ptrdiff_t stride;
  // Rows that exist, lanes of the last vector that exist.
  size_t rows;
  __mmask16 last;
  int32_t adding;
} target_tile;

CK_INLINE void tile(const int vectors, const uint32_t *a, const uint32_t *b, size_t pairs,
                    target_tile c) {
  __m512 sums[TILE_ROWS][TILE_VECTORS];
  CK_EACH(i, TILE_ROWS)
    CK_EACH(v, vectors) sums[i][v] = _mm512_setzero_ps();
  for (size_t i = 0; i < c.rows; i++)
    for (int v = 0; v < vectors; v++)
      __builtin_prefetch(c.values + (ptrdiff_t)i * c.stride + 16 * v, 1, 3);
  for (size_t p = 0; p < pairs; p++) {
    __m512bh right[TILE_VECTORS];
    CK_EACH(v, vectors) right[v] = (__m512bh)_mm512_loadu_si512(b + (p * vectors + v) * 16);
    CK_EACH(i, TILE_ROWS) {
      __m512bh left = (__m512bh)_mm512_set1_epi32((int)a[p * TILE_ROWS + i]);
      CK_EACH(v, vectors) sums[i][v] = _mm512_dpbf16_ps(sums[i][v], left, right[v]);
    }
  }
  CK_EACH(i, TILE_ROWS) {
    if ((size_t)i >= c.rows) return;
    CK_EACH(v, vectors) {
      float *out = c.values + i * c.stride + 16 * v;
      __mmask16 mask = v == vectors - 1 ? c.last : 0xffff;
      __m512 sum = sums[i][v];
      if (c.adding) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, out));
      _mm512_mask_storeu_ps(out, mask, sum);
    }
  }
}

// The rows of A in `a` times the columns of B in `b`.
static void multiply_block(const uint32_t *a, const uint32_t *b, size_t rows, size_t columns,
                           size_t pairs, int32_t adding, float *c, ptrdiff_t stride) {
  for (size_t j = 0; j < columns; j += TILE_COLUMNS) {
    const size_t width = panel_width(columns, j);
    const __mmask16 last = first_lanes((ptrdiff_t)(columns - j) - (ptrdiff_t)width + 16);
    for (size_t i = 0; i < rows; i += TILE_ROWS) {
      const size_t left = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
      target_tile out = {c + (ptrdiff_t)i * stride + j, stride, left, last, adding};
      switch (width / 16) {
        case 3: tile(3, a + i * pairs, b + j * pairs, pairs, out); break;
        case 2: tile(2, a + i * pairs, b + j * pairs, pairs, out); break;
        default: tile(1, a + i * pairs, b + j * pairs, pairs, out);
      }
    }
  }
}

static size_t at_most(size_t a, size_t b) { return a < b ? a : b; }

// The smallest equal parts of `count`, in multiples of `unit`, of which none exceeds `most`.
static size_t part(size_t count, size_t most, size_t unit) {
  size_t parts = (count + most - 1) / most;
  return ((count + parts - 1) / parts + unit - 1) / unit * unit;
}

void ck_bf16_product(ck_product p) {
  uint32_t *b_panels = ck_scratch(4 * B_WORDS + 2 * BLOCK_ROWS * DEPTH),
           *a_panels = b_panels + B_WORDS;
  if (p.m == 0 || p.n == 0 || p.k == 0) return;
  const size_t depth = part(p.k, DEPTH, PAIR_BLOCK);
  const size_t columns =
      part(p.n, B_WORDS / (depth / 2) / TILE_COLUMNS * TILE_COLUMNS, TILE_COLUMNS);
  for (size_t j = 0; j < p.n; j += columns) {
    const size_t width = at_most(columns, p.n - j);
    for (size_t first = 0; first < p.k; first += depth) {
      const size_t deep = at_most(depth, p.k - first);
      const ck_operand right = skip(p.b, j, first);
      if (right.depth_in_rows) pack_b_rows(right, width, deep, b_panels);
      else pack_b_columns(right, width, deep, b_panels);
      for (size_t i = 0; i < p.m; i += BLOCK_ROWS) {
        const size_t rows = at_most(BLOCK_ROWS, p.m - i);
        const ck_operand left = skip(p.a, i, first);
        if (left.depth_in_rows) pack_a_rows(left, rows, deep, a_panels);
        else pack_a_columns(left, rows, deep, a_panels);
        multiply_block(a_panels, b_panels, rows, width, PAIRS(deep), p.adding || first > 0,
                       p.c + (ptrdiff_t)i * p.c_stride + j, p.c_stride);
      }
    }
  }
}

CK_TARGET_END
#else
void ck_bf16_product(ck_product p) {
  (void)p;
  __builtin_trap();
}
#endif
