static void ck(add)(const float *restrict x, float *restrict y, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void ck(add_scaled)(const float *restrict x, float factor, float *restrict y, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

static void ck(relu)(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = x[i] < 0 ? 0 : x[i];
}

CK_INLINE vf ck(silu)(vf x) { return x / (1.0f + ck(exp)(-x)); }

static void ck(swiglu)(const float *gate, const float *up, float *y, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    ck(store)(y + i, ck(silu)(ck(load)(gate + i)) * ck(load)(up + i));
  if (i < n)
    ck(store_some)(y + i, n - i,
                   ck(silu)(ck(load_some)(gate + i, n - i, 0)) * ck(load_some)(up + i, n - i, 0));
}

// min(z, 0) - log1p(exp(-|z|)). With e = exp(-|z|) in (0, 1], log1p(e) = 2 atanh(e / (2 + e)),
// whose series in s <= 1/3 needs nine terms for float32.
CK_INLINE vf ck(log_sigmoid_lanes)(vf z) {
  vf magnitude = (vf)((vi)z & 0x7fffffff);
  vf e = ck(exp)(-magnitude);
  vf s = e / (2.0f + e), t = s * s;
  vf p = t * (1.0f / 17) + (1.0f / 15);
  p = p * t + (1.0f / 13);
  p = p * t + (1.0f / 11);
  p = p * t + (1.0f / 9);
  p = p * t + (1.0f / 7);
  p = p * t + (1.0f / 5);
  p = p * t + (1.0f / 3);
  p = p * t + 1.0f;
  return ck(select)(z < 0.0f, z, (vf){}) - 2.0f * s * p;
}

static void ck(log_sigmoid)(float *z, float factor, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    ck(store)(z + i, ck(log_sigmoid_lanes)(ck(load)(z + i)) * factor);
  if (i < n)
    ck(store_some)(z + i, n - i, ck(log_sigmoid_lanes)(ck(load_some)(z + i, n - i, 0)) * factor);
}

static void ck(rms_norm)(const float *x, const float *weight, float epsilon, float *y, size_t n) {
  vf a = {}, b = {}, c = {}, d = {};
  size_t i = 0;
  for (; i + 4 * CK_LANES <= n; i += 4 * CK_LANES) {
    vf p = ck(load)(x + i), q = ck(load)(x + i + 16);
    vf r = ck(load)(x + i + 32), s = ck(load)(x + i + 48);
    a = a + p * p;
    b = b + q * q;
    c = c + r * r;
    d = d + s * s;
  }
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vf p = ck(load)(x + i);
    a = a + p * p;
  }
  if (i < n) {
    vf p = ck(load_some)(x + i, n - i, 0);
    b = b + p * p;
  }
  float factor = 1.0f / __builtin_sqrtf(ck(sum)((a + b) + (c + d)) / (float)n + epsilon);
  for (i = 0; i < n; i++) y[i] = x[i] * factor * weight[i];
}

// Numbers that are looked at without a branch for each; a block that has a find is searched.
enum { ck(find_block) = 2048 };

// Without the sign, bits compare as signed integers, for which SSE2 has instructions.
static size_t ck(first_from_32)(const char *x, int32_t limit, size_t n) {
  for (size_t start = 0; start < n; start += ck(find_block)) {
    size_t end = n - start < ck(find_block) ? n : start + ck(find_block);
    int32_t any = 0, bits;
    for (size_t i = start; i < end; i++) {
      memcpy(&bits, x + i * sizeof bits, sizeof bits);
      any |= (bits & 0x7fffffff) >= limit;
    }
    for (size_t i = start; any && i < end; i++) {
      memcpy(&bits, x + i * sizeof bits, sizeof bits);
      if ((bits & 0x7fffffff) >= limit) return i;
    }
  }
  return n;
}

static size_t ck(first_from_16)(const char *x, int16_t limit, size_t n) {
  for (size_t start = 0; start < n; start += ck(find_block)) {
    size_t end = n - start < ck(find_block) ? n : start + ck(find_block);
    int16_t any = 0, bits;
    for (size_t i = start; i < end; i++) {
      memcpy(&bits, x + i * sizeof bits, sizeof bits);
      any |= (int16_t)(bits & 0x7fff) >= limit;
    }
    for (size_t i = start; any && i < end; i++) {
      memcpy(&bits, x + i * sizeof bits, sizeof bits);
      if ((int16_t)(bits & 0x7fff) >= limit) return i;
    }
  }
  return n;
}

static float ck(largest)(const float *x, size_t n) {
  vf best = ck(splat)(-__builtin_inff());
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) best = ck(max)(ck(load)(x + i), best);
  if (i < n) best = ck(max)(ck(load_some)(x + i, n - i, -__builtin_inff()), best);
  return ck(max_lane)(best);
}

static double ck(sum_exp)(const float *x, float shift, size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    total += __builtin_convertvector(ck(exp)(ck(load)(x + i) - shift), vd);
  if (i < n)
    total += __builtin_convertvector(
        ck(exp)(ck(load_some)(x + i, n - i, -__builtin_inff()) - shift), vd);
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

static void ck(exp_scaled)(float *x, float shift, float factor, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    ck(store)(x + i, ck(exp)(ck(load)(x + i) - shift) * factor);
  if (i < n) ck(store_some)(x + i, n - i, ck(exp)(ck(load_some)(x + i, n - i, 0) - shift) * factor);
}

static void ck(exp_row)(const float *x, float *y, size_t n) { ck(exp_map)(x, y, n); }

static void ck(rotate_half)(float *x, const float *restrict c, const float *restrict s,
                            size_t half) {
  float *restrict low = x, *restrict high = x + half;
  for (size_t i = 0; i < half; i++) {
    float a = low[i], b = high[i];
    low[i] = a * c[i] - b * s[i];
    high[i] = b * c[i] + a * s[i];
  }
}

static void ck(rotate_half_back)(float *x, const float *restrict c, const float *restrict s,
                                 size_t half) {
  float *restrict low = x, *restrict high = x + half;
  for (size_t i = 0; i < half; i++) {
    float a = low[i], b = high[i];
    low[i] = a * c[i] + b * s[i];
    high[i] = b * c[i] - a * s[i];
  }
}
