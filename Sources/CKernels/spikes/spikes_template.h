// Half to even: adding 2^23 to a smaller magnitude leaves no fraction bits. Larger magnitudes have
// none, and NaN compares false.
CK_INLINE vf ck(round_even)(vf x) {
  vi sign = (vi)x & (int32_t)0x80000000;
  vf magnitude = (vf)((vi)x & 0x7fffffff);
  vf rounded = (vf)((vi)((magnitude + 8388608.0f) - 8388608.0f) | sign);
  return ck(select)(magnitude < 8388608.0f, rounded, x);
}

CK_INLINE vd ck(magnitudes)(vf x) { return __builtin_convertvector((vf)((vi)x & 0x7fffffff), vd); }

static double ck(sum_magnitude)(const float *x, size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) total += ck(magnitudes)(ck(load)(x + i));
  if (i < n) total += ck(magnitudes)(ck(load_some)(x + i, n - i, 0));
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

// 2^31 - 1 is no float: counts saturate from 2^31 on. Returns -1 in the lanes that have a count.
CK_INLINE vi ck(spike_lanes)(vf x, float threshold, int32_t *s, size_t count) {
  vf q = ck(round_even)(x / threshold);
  vi fits = (q < 2147483648.0f) & (q > -2147483648.0f), large = q >= 2147483648.0f;
  vi counts = __builtin_convertvector(ck(select)(fits, q, (vf){}), vi);
  counts = counts | (large & 0x7fffffff) | (~(fits | large) & (int32_t)0x80000000);
  memcpy(s, &counts, count * sizeof(int32_t));
  return fits;
}

static size_t ck(spike_counts)(const float *x, float threshold, int32_t *s, size_t n) {
  vi outside = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    outside += 1 + ck(spike_lanes)(ck(load)(x + i), threshold, s + i, CK_LANES);
  size_t total = 0;
  if (i < n) {
    // With a threshold of NaN the lanes beyond the row have no count either.
    vi fits = ck(spike_lanes)(ck(load_some)(x + i, n - i, 0), threshold, s + i, n - i);
    for (size_t lane = 0; lane < n - i; lane++) total += fits[lane] == 0;
  }
  for (int lane = 0; lane < CK_LANES; lane++) total += (size_t)outside[lane];
  return total;
}

static void ck(spike_values)(const float *x, float threshold, float *y, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    ck(store)(y + i, ck(round_even)(ck(load)(x + i) / threshold) * threshold);
  if (i < n)
    ck(store_some)(y + i, n - i,
                   ck(round_even)(ck(load_some)(x + i, n - i, 0) / threshold) * threshold);
}
