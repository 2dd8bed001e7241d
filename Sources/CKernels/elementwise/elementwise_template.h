// y[i] = expression of the lanes of x (and y); the last partial vector is masked.
#define CK_MAP(count, filler, x, y, lanes, expression)          \
  size_t i_ = 0;                                                \
  for (; i_ + CK_LANES <= count; i_ += CK_LANES) {              \
    vf lanes = CK(load)(x + i_);                                \
    CK(store)(y + i_, expression);                              \
  }                                                             \
  if (i_ < count) {                                             \
    vf lanes = CK(load_some)(x + i_, count - i_, filler);       \
    CK(store_some)(y + i_, count - i_, expression);             \
  }

static void CK(add)(const float *restrict x, float *restrict y, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void CK(add_scaled)(const float *restrict x, float factor, float *restrict y, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

static void CK(relu)(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = x[i] < 0 ? 0 : x[i];
}

CK_INLINE vf CK(silu)(vf x) { return x / (1.0f + CK(exp)(-x)); }

static void CK(swiglu)(const float *gate, const float *up, float *y, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    CK(store)(y + i, CK(silu)(CK(load)(gate + i)) * CK(load)(up + i));
  if (i < n)
    CK(store_some)(y + i, n - i,
                   CK(silu)(CK(load_some)(gate + i, n - i, 0)) * CK(load_some)(up + i, n - i, 0));
}

// min(z, 0) - log1p(exp(-|z|)). With e = exp(-|z|) in (0, 1], log1p(e) = 2 atanh(e / (2 + e)),
// whose series in s <= 1/3 needs nine terms for float32.
CK_INLINE vf CK(log_sigmoid_lanes)(vf z) {
  vf magnitude = (vf)((vi)z & 0x7fffffff);
  vf e = CK(exp)(-magnitude);
  vf s = e / (2.0f + e), t = s * s;
  vf p = t * (1.0f / 17) + (1.0f / 15);
  p = p * t + (1.0f / 13);
  p = p * t + (1.0f / 11);
  p = p * t + (1.0f / 9);
  p = p * t + (1.0f / 7);
  p = p * t + (1.0f / 5);
  p = p * t + (1.0f / 3);
  p = p * t + 1.0f;
  return CK(select)(z < 0.0f, z, (vf){}) - 2.0f * s * p;
}

static void CK(log_sigmoid)(float *z, float factor, size_t n) {
  CK_MAP(n, 0, z, z, lanes, CK(log_sigmoid_lanes)(lanes) * factor)
}

static void CK(rms_norm)(const float *x, const float *weight, float epsilon, float *y, size_t n) {
  vf a = {}, b = {}, c = {}, d = {};
  size_t i = 0;
  for (; i + 4 * CK_LANES <= n; i += 4 * CK_LANES) {
    vf p = CK(load)(x + i), q = CK(load)(x + i + 16);
    vf r = CK(load)(x + i + 32), s = CK(load)(x + i + 48);
    a = a + p * p;
    b = b + q * q;
    c = c + r * r;
    d = d + s * s;
  }
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vf p = CK(load)(x + i);
    a = a + p * p;
  }
  if (i < n) {
    vf p = CK(load_some)(x + i, n - i, 0);
    b = b + p * p;
  }
  float factor = 1.0f / __builtin_sqrtf(CK(sum)((a + b) + (c + d)) / (float)n + epsilon);
  for (i = 0; i < n; i++) y[i] = x[i] * factor * weight[i];
}

// Whole blocks are looked at without a branch for each number; one that has a find is searched. Without
// the sign, bits compare as signed integers, for which SSE2 has instructions.
#define CK_FIRST_FROM(name, type, magnitude)                           \
  static size_t CK(name)(const char *x, type limit, size_t n) {        \
    const size_t block = 2048;                                         \
    for (size_t start = 0; start < n; start += block) {                \
      size_t end = n - start < block ? n : start + block;              \
      type any = 0;                                                    \
      for (size_t i = start; i < end; i++) {                           \
        type bits;                                                     \
        memcpy(&bits, x + i * sizeof bits, sizeof bits);               \
        any |= (type)(bits & magnitude) >= limit;                      \
      }                                                                \
      for (size_t i = start; any && i < end; i++) {                    \
        type bits;                                                     \
        memcpy(&bits, x + i * sizeof bits, sizeof bits);               \
        if ((type)(bits & magnitude) >= limit) return i;               \
      }                                                                \
    }                                                                  \
    return n;                                                          \
  }
CK_FIRST_FROM(first_from_32, int32_t, 0x7fffffff)
CK_FIRST_FROM(first_from_16, int16_t, 0x7fff)
#undef CK_FIRST_FROM

static float CK(largest)(const float *x, size_t n) {
  vf best = CK(splat)(-__builtin_inff());
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) best = CK(max)(CK(load)(x + i), best);
  if (i < n) best = CK(max)(CK(load_some)(x + i, n - i, -__builtin_inff()), best);
  return CK(max_lane)(best);
}

static double CK(sum_exp)(const float *x, float shift, size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    total += __builtin_convertvector(CK(exp)(CK(load)(x + i) - shift), vd);
  if (i < n)
    total += __builtin_convertvector(
        CK(exp)(CK(load_some)(x + i, n - i, -__builtin_inff()) - shift), vd);
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

static void CK(exp_scaled)(float *x, float shift, float factor, size_t n) {
  CK_MAP(n, 0, x, x, lanes, CK(exp)(lanes - shift) * factor)
}

static void CK(exp_row)(const float *x, float *y, size_t n) {
  CK(exp_map)(x, y, n);
}

static void CK(rotate_half)(float *x, const float *restrict c, const float *restrict s,
                            size_t half) {
  float *restrict low = x, *restrict high = x + half;
  for (size_t i = 0; i < half; i++) {
    float a = low[i], b = high[i];
    low[i] = a * c[i] - b * s[i];
    high[i] = b * c[i] + a * s[i];
  }
}

static void CK(rotate_half_back)(float *x, const float *restrict c, const float *restrict s,
                                 size_t half) {
  float *restrict low = x, *restrict high = x + half;
  for (size_t i = 0; i < half; i++) {
    float a = low[i], b = high[i];
    low[i] = a * c[i] + b * s[i];
    high[i] = b * c[i] - a * s[i];
  }
}
#undef CK_MAP
