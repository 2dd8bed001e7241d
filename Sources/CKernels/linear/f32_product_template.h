// Products of float32 matrices. A tile of C stays in registers for a block of k.
//
// B is packed by blocks that fit the second-level cache, in panels of CK_COLUMNS columns, k by k.
// Rows of A that run along k are read in place, a tile's rows stay in the first-level cache;
// columns of A are packed just before they are used.

#include "../linear/transpose.h"

#if CK_ISA == CK_AVX512
#define CK_TILE_ROWS 12
#define CK_TILE_VECTORS 2
#elif CK_ISA == CK_AVX2 || defined(__aarch64__)
#define CK_TILE_ROWS 6
#define CK_TILE_VECTORS 1
#else
#define CK_TILE_ROWS 2
#define CK_TILE_VECTORS 1
#endif
#define CK_COLUMNS (CK_LANES * CK_TILE_VECTORS)
// Steps of k per round: addresses then cost little beside the multiply-adds, which shows where a
// core is shared.
#define CK_UNROLLED 4

// R rows of A times a packed panel of B. Rows of A lie `row` floats apart, or packed: one after the
// other for every k.
CK_INLINE void ck(tile)(const int R, const int packed, const float *a, ptrdiff_t row,
                        const float *b, size_t k, float *c, ptrdiff_t c_stride, size_t width,
                        int32_t adding) {
  vf sums[CK_TILE_ROWS][CK_TILE_VECTORS];
  CK_EACH(i, R)
    CK_EACH(v, CK_TILE_VECTORS) sums[i][v] = (vf){};
  CK_EACH(i, R) __builtin_prefetch(c + i * c_stride, 1, 3);
#define CK_STEP(u)                                                                      \
  {                                                                                     \
    vf right[CK_TILE_VECTORS];                                                          \
    CK_EACH(v, CK_TILE_VECTORS) right[v] = ck(load)(b + (u)*CK_COLUMNS + v * CK_LANES); \
    CK_EACH(i, R) {                                                                     \
      const float left = packed ? a[(u)*CK_TILE_ROWS + i] : a[i * row + (u)];           \
      CK_EACH(v, CK_TILE_VECTORS) sums[i][v] = sums[i][v] + left * right[v];            \
    }                                                                                   \
  }
  size_t p = 0;
  for (; p + CK_UNROLLED <= k; p += CK_UNROLLED) {
    CK_EACH(u, CK_UNROLLED) CK_STEP(u)
    a += packed ? CK_UNROLLED * CK_TILE_ROWS : CK_UNROLLED;
    b += CK_UNROLLED * CK_COLUMNS;
  }
  for (; p < k; p++) {
    CK_STEP(0)
    a += packed ? CK_TILE_ROWS : 1;
    b += CK_COLUMNS;
  }
#undef CK_STEP
  CK_EACH(i, R) {
    CK_EACH(v, CK_TILE_VECTORS) {
      float *out = c + i * c_stride + v * CK_LANES;
      const size_t first = v * CK_LANES;
      if (width >= first + CK_LANES) {
        ck(store)(out, adding ? ck(load)(out) + sums[i][v] : sums[i][v]);
      } else if (width > first) {
        const size_t count = width - first;
        ck(store_some)(out, count, adding ? ck(load_some)(out, count, 0) + sums[i][v] : sums[i][v]);
      }
    }
  }
}

// Some rows of A, at most CK_TILE_ROWS.
CK_INLINE void ck(rows)(size_t rows, const int packed, const float *a, ptrdiff_t row,
                        const float *b, size_t k, float *c, ptrdiff_t c_stride, size_t width,
                        int32_t adding) {
#define CK_PART(R)                                                 \
  if (rows >= (R)) {                                               \
    ck(tile)(R, packed, a, row, b, k, c, c_stride, width, adding); \
    a += packed ? (R) : (R)*row, c += (R)*c_stride, rows -= (R);   \
  }
  CK_PART(CK_TILE_ROWS)
#if CK_TILE_ROWS > 8
  CK_PART(8)
#endif
#if CK_TILE_ROWS > 4
  CK_PART(4)
#endif
#if CK_TILE_ROWS > 2
  CK_PART(2)
#endif
  CK_PART(1)
#undef CK_PART
}

// Panels of `side` rows (of A) or columns (of B) of an operand, k by k; past an edge zeros.
CK_INLINE void ck(pack)(const size_t side, ck_operand x, size_t count, size_t k, float *panel) {
  for (size_t first = 0; first < count; first += side, panel += side * k) {
    const size_t some = count - first < side ? count - first : side;
    if (!x.depth_in_rows) {
      const float *row = x.values + first;
      for (size_t p = 0; p < k; p++, row += x.stride) {
        if (some == side) memcpy(panel + p * side, row, side * sizeof(float));
        else {
          memcpy(panel + p * side, row, some * sizeof(float));
          memset(panel + p * side + some, 0, (side - some) * sizeof(float));
        }
      }
      continue;
    }
    const float *rows = x.values + (ptrdiff_t)first * x.stride;
    size_t r = 0;
    for (; r + 16 <= some; r += 16) {
      const float *these = rows + (ptrdiff_t)r * x.stride;
      size_t p = 0;
      for (; p + 4 <= k; p += 4) ck(transpose)(these + p, x.stride, panel + p * side + r, side);
      for (; p < k; p++)
        for (size_t i = 0; i < 16; i++)
          panel[p * side + r + i] = these[(ptrdiff_t)i * x.stride + p];
    }
    for (; r < side; r++)
      for (size_t p = 0; p < k; p++)
        panel[p * side + r] = r < some ? rows[(ptrdiff_t)r * x.stride + p] : 0;
  }
}

static void ck(f32_product)(ck_product p, float *scratch) {
  const size_t depth = DEPTH, block = BLOCK_COLUMNS;
  float *panels = scratch, *rows = panels + DEPTH * BLOCK_COLUMNS;
  for (size_t j = 0; j < p.n; j += block) {
    const size_t width = p.n - j < block ? p.n - j : block;
    for (size_t first = 0; first < p.k; first += depth) {
      const size_t deep = p.k - first < depth ? p.k - first : depth;
      const int32_t adding = p.adding || first > 0;
      ck_operand right = p.b;
      right.values += right.depth_in_rows ? (ptrdiff_t)j * right.stride + (ptrdiff_t)first
                                          : (ptrdiff_t)first * right.stride + (ptrdiff_t)j;
      ck(pack)(CK_COLUMNS, right, width, deep, panels);
      for (size_t i = 0; i < p.m; i += CK_TILE_ROWS) {
        const size_t some = p.m - i < CK_TILE_ROWS ? p.m - i : CK_TILE_ROWS;
        const float *left =
            p.a.values + (p.a.depth_in_rows ? (ptrdiff_t)i * p.a.stride + (ptrdiff_t)first
                                            : (ptrdiff_t)first * p.a.stride + (ptrdiff_t)i);
        float *out = p.c + (ptrdiff_t)i * p.c_stride + (ptrdiff_t)j;
        if (p.a.depth_in_rows) {
          for (size_t l = 0; l < width; l += CK_COLUMNS)
            ck(rows)(some, 0, left, p.a.stride, panels + l * deep, deep, out + l, p.c_stride,
                     width - l, adding);
        } else {
          const ck_operand columns = {0, left, p.a.stride};
          ck(pack)(CK_TILE_ROWS, columns, some, deep, rows);
          for (size_t l = 0; l < width; l += CK_COLUMNS)
            ck(rows)(some, 1, rows, 1, panels + l * deep, deep, out + l, p.c_stride, width - l,
                     adding);
        }
      }
    }
  }
}
#undef CK_COLUMNS
#undef CK_UNROLLED
#undef CK_TILE_ROWS
#undef CK_TILE_VECTORS
