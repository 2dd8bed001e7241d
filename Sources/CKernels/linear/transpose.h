// Transposing rows into the panels that products read; included once per instruction set.

// 16 rows of four values, transposed to a panel: four rows in each quarter of a vector.
CK_INLINE void ck(transpose)(const float *x, ptrdiff_t stride, float *panel, size_t side) {
  vf r[4];
  CK_EACH(i, 4)
    CK_EACH(q, 4) memcpy((float *)&r[i] + 4 * q, x + (i + 4 * q) * stride, 16);
#define CK_QUARTERS(x, y, a, b, c, d)                                                        \
  __builtin_shufflevector(x, y, a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, \
                          d + 8, a + 12, b + 12, c + 12, d + 12)
  vf a = CK_QUARTERS(r[0], r[1], 0, 16, 1, 17), b = CK_QUARTERS(r[0], r[1], 2, 18, 3, 19);
  vf c = CK_QUARTERS(r[2], r[3], 0, 16, 1, 17), d = CK_QUARTERS(r[2], r[3], 2, 18, 3, 19);
  ck(store)(panel, CK_QUARTERS(a, c, 0, 1, 16, 17));
  ck(store)(panel + side, CK_QUARTERS(a, c, 2, 3, 18, 19));
  ck(store)(panel + 2 * side, CK_QUARTERS(b, d, 0, 1, 16, 17));
  ck(store)(panel + 3 * side, CK_QUARTERS(b, d, 2, 3, 18, 19));
#undef CK_QUARTERS
}
