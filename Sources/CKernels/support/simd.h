// 16-lane vectors for kernel templates; included once per instruction set by variants.h.

#ifndef CK_SIMD_TYPES
#define CK_SIMD_TYPES
typedef float vf __attribute__((vector_size(64)));
typedef float vf8 __attribute__((vector_size(32)));
typedef float vf4 __attribute__((vector_size(16)));
typedef double vd __attribute__((vector_size(128)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef uint16_t vh __attribute__((vector_size(32)));
typedef uint8_t vb __attribute__((vector_size(16)));
typedef int8_t vc __attribute__((vector_size(16)));

// Vectors pass between functions only inside one variant, where both sides agree on registers.
#pragma GCC diagnostic ignored "-Wpsabi"
#define CK_LANES 16
#endif

// One register.
#undef CK_REGISTER
#if CK_ISA == CK_AVX512
#define CK_REGISTER 16
#elif CK_ISA == CK_AVX2
#define CK_REGISTER 8
#else
#define CK_REGISTER 4
#endif
typedef float ck(vr) __attribute__((vector_size(4 * CK_REGISTER)));
typedef uint32_t ck(vru) __attribute__((vector_size(4 * CK_REGISTER)));

CK_INLINE vf ck(load)(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

CK_INLINE void ck(store)(float *p, vf v) { memcpy(p, &v, sizeof v); }

// The first `count` < 16 lanes; the others are `filler`.
CK_INLINE vf ck(load_some)(const float *p, size_t count, float filler) {
#if CK_ISA == CK_AVX512
  __mmask16 mask = (__mmask16)((1u << count) - 1);
  return (vf)_mm512_mask_loadu_ps(_mm512_set1_ps(filler), mask, p);
#else
  vf v = filler - (vf){};
  memcpy(&v, p, count * sizeof(float));
  return v;
#endif
}

CK_INLINE void ck(store_some)(float *p, size_t count, vf v) {
#if CK_ISA == CK_AVX512
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
#else
  memcpy(p, &v, count * sizeof(float));
#endif
}

CK_INLINE vf ck(splat)(float x) { return x - (vf){}; }

CK_INLINE vf ck(select)(vi mask, vf yes, vf no) {
  return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}

// Lanes in a fixed tree order, the same on every instruction set.
CK_INLINE float ck(sum)(vf v) {
  vf8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
          __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  vf4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}

CK_INLINE ck(vr) ck(load_register)(const float *p) {
  ck(vr) v;
  memcpy(&v, p, sizeof v);
  return v;
}

// The same of one register.
CK_INLINE float ck(register_sum)(ck(vr) v) {
#if CK_ISA == CK_AVX512
  return ck(sum)(v);
#elif CK_ISA == CK_AVX2
  vf4 b = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
#else
  return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

CK_INLINE vf ck(max)(vf a, vf b) { return ck(select)(a > b, a, b); }

CK_INLINE vf ck(sqrt)(vf v) {
#if defined(__clang__)
  return __builtin_elementwise_sqrt(v);
#else
  for (int i = 0; i < CK_LANES; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

CK_INLINE float ck(max_lane)(vf v) {
  float best = v[0];
  for (int i = 1; i < CK_LANES; i++) best = v[i] > best ? v[i] : best;
  return best;
}

// exp(x), relative error below 2e-7; 0 below -87.33 (where results would be subnormal), infinity
// above 88.73, NaN for NaN. Range reduction by ln 2 in two parts (Cody and Waite), then the Taylor
// polynomial of degree 7 on |r| <= ln 2 / 2, whose remainder is below 1e-8.
CK_INLINE vf ck(exp)(vf x) {
  const float magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
  vf clamped = ck(select)(x > 89.0f, ck(splat)(89.0f), x);
  clamped = ck(select)(clamped < -88.0f, ck(splat)(-88.0f), clamped);
  vf shifted = clamped * 1.44269504089f + magic;
  vf n = shifted - magic;
  vf r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = r * (1.0f / 5040) + (1.0f / 720);
  p = p * r + (1.0f / 120);
  p = p * r + (1.0f / 24);
  p = p * r + (1.0f / 6);
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
  // n is in the low mantissa bits of `shifted`. 2^n in two factors, so that n = 128 is right too.
  vi exponent = (vi)shifted - 0x4b400000;
  vi half = exponent >> 1;
  p = p * (vf)((half + 127) << 23) * (vf)((exponent - half + 127) << 23);
  return ck(select)(x < -87.33f, (vf){}, p);
}

// y = exp(x).
CK_INLINE void ck(exp_map)(const float *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) ck(store)(y + i, ck(exp)(ck(load)(x + i)));
  if (i < n) ck(store_some)(y + i, n - i, ck(exp)(ck(load_some)(x + i, n - i, 0)));
}
