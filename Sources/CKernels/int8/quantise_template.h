// float32 to INT8 codes and back. Sums run in 16 lanes that are added in a fixed order, so that
// every instruction set finds the same scales.

// w · reciprocal to the nearest integer within least...most, ties to even; as a float.
CK_INLINE vf ck(code)(vf w, float reciprocal, ck_code_range range) {
  const float magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
  vf x = w * reciprocal;
  x = ck(select)(x > range.most, ck(splat)(range.most), x);
  x = ck(select)(x < range.least, ck(splat)(range.least), x);
  vf shifted = x + magic;
  return shifted - magic;
}

static void ck(round_codes)(const float *w, size_t n, float scale, ck_code_range range,
                            int8_t *codes) {
  const float reciprocal = 1.0f / scale;
  for (size_t i = 0; i < n; i += CK_LANES) {
    const size_t left = n - i < CK_LANES ? n - i : CK_LANES;
    vf x = left == CK_LANES ? ck(load)(w + i) : ck(load_some)(w + i, left, 0);
    vc bytes =
        __builtin_convertvector(__builtin_convertvector(ck(code)(x, reciprocal, range), vi), vc);
    memcpy(codes + i, &bytes, left);
  }
}

static void ck(code_residual)(const float *w, const float *importance, size_t n, float scale,
                              ck_code_range range, float sums[3]) {
  const float reciprocal = 1.0f / scale;
  vf error = {}, cross = {}, square = {};
  for (size_t i = 0; i < n; i += CK_LANES) {
    const size_t left = n - i < CK_LANES ? n - i : CK_LANES;
    vf x, h = ck(splat)(1);
    if (left == CK_LANES) {
      x = ck(load)(w + i);
      if (importance) h = ck(load)(importance + i);
    } else {
      x = ck(load_some)(w + i, left, 0);
      if (importance) h = ck(load_some)(importance + i, left, 0);
    }
    vf q = ck(code)(x, reciprocal, range);
    vf product = q * scale;
    vf e = x - product;
    vf he = h * e, hq = h * q;
    vf ee = he * e, qe = hq * e, qq = hq * q;
    error = error + ee;
    cross = cross + qe;
    square = square + qq;
  }
  sums[0] = ck(sum)(error);
  sums[1] = ck(sum)(cross);
  sums[2] = ck(sum)(square);
}

static void ck(int8_decode)(const int8_t *codes, const float *scales, size_t columns, size_t group,
                            float *output) {
  for (size_t first = 0; first < columns; first += group, scales++) {
    const size_t end = columns - first < group ? columns : first + group;
    for (size_t c = first; c < end; c += CK_LANES) {
      const size_t left = end - c < CK_LANES ? end - c : CK_LANES;
      vc bytes = {};
      memcpy(&bytes, codes + c, left);
      vf value = __builtin_convertvector(__builtin_convertvector(bytes, vi), vf) * *scales;
      if (left == CK_LANES) ck(store)(output + c, value);
      else ck(store_some)(output + c, left, value);
    }
  }
}
