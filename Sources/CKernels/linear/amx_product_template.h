// The body of the AMX products, for the tiles of a processor and for the model of them that tests
// run anywhere.
//
// tile_dot adds to a tile of 16 x 16 sums the products of 16 rows of A, 32 values of k each, with
// 16 columns of B, laid out as 16 rows of pairs of k. Four tiles of sums, two by two, stay for a
// block of k; both operands are packed in whole tiles, zeros past an edge.

#define TILE_SIDE 16   // rows of A, columns of B
#define TILE_DEPTH 32  // values of k
#define TILE_WORDS 256
// The longest stretch of k packed at a time, the most columns of B and the most rows of A.
#define DEPTH 1024
#define BLOCK_COLUMNS 256
#define BLOCK_ROWS 32

CK_INLINE size_t ck(at_most)(size_t a, size_t b) { return a < b ? a : b; }

// bfloat16 patterns, to nearest even, in the low halves of words.
CK_INLINE vu ck(rounded)(vf x) {
  const vu bits = (vu)x, halved = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const vu not_a_number = (vu)(x != x);
  return (not_a_number & (bits >> 16 | 0x40)) | (~not_a_number & halved);
}

// The pairs in a run of 32 values.
CK_INLINE vu ck(pairs_along)(const float *p) {
  const vf low = ck(load)(p), high = ck(load)(p + 16);
  const vf even =
      __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const vf odd =
      __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return ck(rounded)(even) | ck(rounded)(odd) << 16;
}

// Packs one tile: of 16 rows of A or columns of B from `first` on, of which `count` exist, and 32
// values of k from `at` on, of which `k` exist. Rows of a tile of A are rows of A; those of a tile
// of B are pairs of k.
static void ck(pack_tile)(const int is_a, ck_operand x, size_t first, size_t count, size_t at,
                          size_t k, uint32_t *tile) {
  float edge[2 * TILE_WORDS] __attribute__((aligned(64)));
  uint32_t words[TILE_WORDS] __attribute__((aligned(64)));
  const float *start = x.depth_in_rows ? x.values + (ptrdiff_t)first * x.stride + (ptrdiff_t)at
                                       : x.values + (ptrdiff_t)at * x.stride + (ptrdiff_t)first;
  ptrdiff_t stride = x.stride;
  if (count < TILE_SIDE || k < TILE_DEPTH) {
    const size_t rows =
        x.depth_in_rows ? ck(at_most)(count, TILE_SIDE) : ck(at_most)(k, TILE_DEPTH);
    const size_t width = x.depth_in_rows ? TILE_DEPTH : TILE_SIDE;
    const size_t some = ck(at_most)(x.depth_in_rows ? k : count, width);
    memset(edge, 0, sizeof edge);
    for (size_t r = 0; r < rows; r++)
      memcpy(edge + r * width, start + (ptrdiff_t)r * stride, some * sizeof(float));
    start = edge, stride = (ptrdiff_t)width;
  }
  // Whether words come out one row of the tile after the other.
  const int in_order = x.depth_in_rows == is_a;
  uint32_t *out = in_order ? tile : words;
  for (size_t i = 0; i < TILE_SIDE; i++) {
    vu row;
    if (x.depth_in_rows) {
      row = ck(pairs_along)(start + (ptrdiff_t)i * stride);
    } else {
      const float *pair = start + (ptrdiff_t)(2 * i) * stride;
      row = ck(rounded)(ck(load)(pair)) | ck(rounded)(ck(load)(pair + stride)) << 16;
    }
    memcpy(out + i * 16, &row, sizeof row);
  }
  if (in_order) return;
  for (size_t q = 0; q < 4; q++)
    ck(transpose)((const float *)words + 4 * q, 16, (float *)tile + 64 * q, 16);
}

// C [rows <= 32, columns <= 32] of packed tiles, which lie one after the other along k.
static void ck(multiply_tiles)(const uint32_t *a, const uint32_t *b, size_t deep, size_t rows,
                               size_t columns, int32_t adding, float *c, ptrdiff_t stride) {
  const size_t next = deep * TILE_WORDS;
  const int two_rows = rows > TILE_SIDE, two_columns = columns > TILE_SIDE;
  tile_zero(0);
  tile_zero(1);
  tile_zero(2);
  tile_zero(3);
  for (size_t p = 0; p < deep; p++, a += TILE_WORDS, b += TILE_WORDS) {
    tile_load(4, a);
    tile_load(6, b);
    tile_dot(0, 4, 6);
    if (two_columns) {
      tile_load(7, b + next);
      tile_dot(1, 4, 7);
    }
    if (two_rows) {
      tile_load(5, a + next);
      tile_dot(2, 5, 6);
      if (two_columns) tile_dot(3, 5, 7);
    }
  }
  float sums[4 * TILE_WORDS] __attribute__((aligned(64)));
  tile_store(0, sums);
  tile_store(1, sums + TILE_WORDS);
  tile_store(2, sums + 2 * TILE_WORDS);
  tile_store(3, sums + 3 * TILE_WORDS);
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j += TILE_SIDE) {
      const vf from = ck(load)(sums + (i / 16 * 2 + j / 16) * TILE_WORDS + i % 16 * 16);
      float *to = c + (ptrdiff_t)i * stride + j;
      const size_t count = columns - j;
      if (count >= TILE_SIDE) ck(store)(to, adding ? ck(load)(to) + from : from);
      else ck(store_some)(to, count, adding ? ck(load_some)(to, count, 0) + from : from);
    }
  }
}

static void ck(amx_product)(ck_product p) {
  uint32_t *b_tiles = ck_scratch(sizeof(uint32_t) * (BLOCK_COLUMNS + BLOCK_ROWS) * DEPTH / 2);
  uint32_t *a_tiles = b_tiles + BLOCK_COLUMNS * DEPTH / 2;
  for (size_t j = 0; j < p.n; j += BLOCK_COLUMNS) {
    const size_t width = ck(at_most)(BLOCK_COLUMNS, p.n - j);
    for (size_t first = 0; first < p.k; first += DEPTH) {
      const size_t k = ck(at_most)(DEPTH, p.k - first), deep = (k + TILE_DEPTH - 1) / TILE_DEPTH;
      for (size_t column = 0; column < width; column += TILE_SIDE)
        for (size_t t = 0; t < deep; t++)
          ck(pack_tile)(0, p.b, j + column, width - column, first + t * TILE_DEPTH,
                        k - t * TILE_DEPTH, b_tiles + (column / TILE_SIDE * deep + t) * TILE_WORDS);
      for (size_t i = 0; i < p.m; i += BLOCK_ROWS) {
        const size_t rows = ck(at_most)(BLOCK_ROWS, p.m - i);
        for (size_t row = 0; row < rows; row += TILE_SIDE)
          for (size_t t = 0; t < deep; t++)
            ck(pack_tile)(1, p.a, i + row, rows - row, first + t * TILE_DEPTH, k - t * TILE_DEPTH,
                          a_tiles + (row / TILE_SIDE * deep + t) * TILE_WORDS);
        for (size_t column = 0; column < width; column += 2 * TILE_SIDE)
          ck(multiply_tiles)(a_tiles, b_tiles + column / TILE_SIDE * deep * TILE_WORDS, deep, rows,
                             ck(at_most)(2 * TILE_SIDE, width - column), p.adding || first > 0,
                             p.c + (ptrdiff_t)i * p.c_stride + (ptrdiff_t)(j + column), p.c_stride);
      }
    }
  }
}
#undef TILE_SIDE
#undef TILE_DEPTH
#undef TILE_WORDS
#undef DEPTH
#undef BLOCK_COLUMNS
#undef BLOCK_ROWS
