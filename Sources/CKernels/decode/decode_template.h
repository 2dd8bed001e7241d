// Stored rows to float32. Every operation is rounded on its own (no fused multiply-add), as in the
// reference, so that values match the published formats to the last bit.

CK_INLINE uint16_t ck(u16)(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, 2);
  return v;
}

// IEEE half to float32 for 16 patterns.
CK_INLINE vf ck(widen_half)(vh h) {
#if CK_ISA >= CK_AVX2
#if CK_ISA == CK_AVX512
  return (vf)_mm512_cvtph_ps((__m256i)h);
#else
  vf8 low = (vf8)_mm256_cvtph_ps(_mm256_castsi256_si128((__m256i)h));
  vf8 high = (vf8)_mm256_cvtph_ps(_mm256_extracti128_si256((__m256i)h, 1));
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#else
  vu bits = __builtin_convertvector(h, vu);
  vu sign = (bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  // As if the exponent had float32's bias, then 2^112 puts it right, subnormals included.
  vf value = (vf)(magnitude << 13) * 0x1p112f;
  vu special = (vu)((vi)magnitude > 0x7bff);
  vu quiet = (vu)((vi)magnitude > 0x7c00) & 0x400000;
  vu infinite = (magnitude << 13) | 0x7f800000 | quiet;
  return (vf)(sign | (special & infinite) | (~special & (vu)value));
#endif
}

CK_INLINE float ck(half)(const uint8_t *p) {
  vh h = {ck(u16)(p)};
  return ck(widen_half)(h)[0];
}

CK_INLINE vi ck(codes)(const uint8_t *p) {
  vb b;
  memcpy(&b, p, sizeof b);
  return __builtin_convertvector(b, vi);
}

CK_INLINE vf ck(to_float)(vi v) { return __builtin_convertvector(v, vf); }

CK_INLINE void ck(decode_bf16)(const uint8_t *p, float *y, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    vh h;
    memcpy(&h, p + 2 * i, sizeof h);
    ck(store)(y + i, (vf)(__builtin_convertvector(h, vu) << 16));
  }
  for (; i < n; i++) {
    uint32_t bits = (uint32_t)ck(u16)(p + 2 * i) << 16;
    memcpy(y + i, &bits, 4);
  }
}

CK_INLINE void ck(decode_f16)(const uint8_t *p, float *y, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    vh h;
    memcpy(&h, p + 2 * i, sizeof h);
    ck(store)(y + i, ck(widen_half)(h));
  }
  if (i < n) {
    vh h = {};
    memcpy(&h, p + 2 * i, 2 * (n - i));
    ck(store_some)(y + i, n - i, ck(widen_half)(h));
  }
}

CK_INLINE void ck(decode_f64)(const uint8_t *p, float *y, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double v;
    memcpy(&v, p + 8 * i, 8);
    y[i] = (float)v;
  }
}

CK_INLINE void ck(block_q8_0)(const uint8_t *b, float *y) {
  float d = ck(half)(b);
  for (int i = 0; i < 2; i++) {
    vc c;
    memcpy(&c, b + 2 + 16 * i, sizeof c);
    ck(store)(y + 16 * i, ck(to_float)(__builtin_convertvector(c, vi)) * d);
  }
}

CK_INLINE void ck(block_q4_0)(const uint8_t *b, float *y) {
  float d = ck(half)(b);
  vi q = ck(codes)(b + 2);
  ck(store)(y, ck(to_float)((q & 15) - 8) * d);
  ck(store)(y + 16, ck(to_float)((q >> 4) - 8) * d);
}

CK_INLINE void ck(block_q4_1)(const uint8_t *b, float *y) {
  float d = ck(half)(b), m = ck(half)(b + 2);
  vi q = ck(codes)(b + 4);
  ck(store)(y, ck(to_float)(q & 15) * d + m);
  ck(store)(y + 16, ck(to_float)(q >> 4) * d + m);
}

// The fifth bit of 16 codes: bit i of `bits`, moved to bit 4.
CK_INLINE vi ck(fifth)(uint16_t bits) {
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vi all = (int32_t)bits - (vi){};
  return ((all >> lane) & 1) << 4;
}

CK_INLINE void ck(block_q5_0)(const uint8_t *b, float *y) {
  float d = ck(half)(b);
  vi q = ck(codes)(b + 6);
  ck(store)(y, ck(to_float)(((q & 15) | ck(fifth)(ck(u16)(b + 2))) - 16) * d);
  ck(store)(y + 16, ck(to_float)(((q >> 4) | ck(fifth)(ck(u16)(b + 4))) - 16) * d);
}

CK_INLINE void ck(block_q5_1)(const uint8_t *b, float *y) {
  float d = ck(half)(b), m = ck(half)(b + 2);
  vi q = ck(codes)(b + 8);
  ck(store)(y, ck(to_float)((q & 15) | ck(fifth)(ck(u16)(b + 4))) * d + m);
  ck(store)(y + 16, ck(to_float)((q >> 4) | ck(fifth)(ck(u16)(b + 6))) * d + m);
}

// Scales and minima of the eight sub-blocks of q4_K and q5_K: 6-bit integers packed in 12 bytes
// after the two factors.
CK_INLINE void ck(scales_K)(const uint8_t *b, float d[8], float m[8]) {
  float factor = ck(half)(b), minimum = ck(half)(b + 2);
  const uint8_t *s = b + 4;
  for (int j = 0; j < 4; j++) {
    d[j] = factor * (float)(s[j] & 63);
    m[j] = minimum * (float)(s[j + 4] & 63);
    d[j + 4] = factor * (float)((s[j + 8] & 15) | (s[j] >> 6 << 4));
    m[j + 4] = minimum * (float)((s[j + 8] >> 4) | (s[j + 4] >> 6 << 4));
  }
}

CK_INLINE void ck(block_q4_K)(const uint8_t *b, float *y) {
  float d[8], m[8];
  ck(scales_K)(b, d, m);
  for (int part = 0; part < 4; part++) {
    for (int i = 0; i < 2; i++) {
      vi q = ck(codes)(b + 16 + 32 * part + 16 * i);
      float *target = y + 64 * part + 16 * i;
      ck(store)(target, ck(to_float)(q & 15) * d[2 * part] - m[2 * part]);
      ck(store)(target + 32, ck(to_float)(q >> 4) * d[2 * part + 1] - m[2 * part + 1]);
    }
  }
}

CK_INLINE void ck(block_q5_K)(const uint8_t *b, float *y) {
  float d[8], m[8];
  ck(scales_K)(b, d, m);
  for (int i = 0; i < 2; i++) {
    vi high = ck(codes)(b + 16 + 16 * i);
    for (int part = 0; part < 4; part++) {
      vi q = ck(codes)(b + 48 + 32 * part + 16 * i);
      vi low_code = (q & 15) | (((high >> (2 * part)) & 1) << 4);
      vi high_code = (q >> 4) | (((high >> (2 * part + 1)) & 1) << 4);
      float *target = y + 64 * part + 16 * i;
      ck(store)(target, ck(to_float)(low_code) * d[2 * part] - m[2 * part]);
      ck(store)(target + 32, ck(to_float)(high_code) * d[2 * part + 1] - m[2 * part + 1]);
    }
  }
}

CK_INLINE void ck(block_q6_K)(const uint8_t *b, float *y) {
  float d = ck(half)(b + 208);
  for (int part = 0; part < 2; part++) {
    const int8_t *scales = (const int8_t *)b + 192 + 8 * part;
    for (int i = 0; i < 2; i++) {
      vi first = ck(codes)(b + 64 * part + 16 * i), second = ck(codes)(b + 64 * part + 32 + 16 * i);
      vi high = ck(codes)(b + 128 + 32 * part + 16 * i);
      vi q[4] = {(first & 15) | ((high & 3) << 4), (second & 15) | (((high >> 2) & 3) << 4),
                 (first >> 4) | (((high >> 4) & 3) << 4), (second >> 4) | ((high >> 6) << 4)};
      for (int quarter = 0; quarter < 4; quarter++)
        ck(store)(y + 128 * part + 32 * quarter + 16 * i,
                  ck(to_float)(q[quarter] - 32) * (d * (float)scales[2 * quarter + i]));
    }
  }
}

// n elements in blocks of so many bytes and elements; the decoder is inlined.
CK_INLINE void ck(blocks)(block_decoder *decode, size_t bytes, size_t elements, const uint8_t *p,
                          float *y, size_t n) {
  for (size_t i = 0; i < n / elements; i++) decode(p + i * bytes, y + i * elements);
}

static void ck(decode)(int32_t type, const uint8_t *p, float *y, size_t n) {
  switch (type) {
    case CK_F32: memcpy(y, p, n * 4); break;
    case CK_F64: ck(decode_f64)(p, y, n); break;
    case CK_F16: ck(decode_f16)(p, y, n); break;
    case CK_BF16: ck(decode_bf16)(p, y, n); break;
    case CK_Q8_0: ck(blocks)(ck(block_q8_0), 34, 32, p, y, n); break;
    case CK_Q4_0: ck(blocks)(ck(block_q4_0), 18, 32, p, y, n); break;
    case CK_Q4_1: ck(blocks)(ck(block_q4_1), 20, 32, p, y, n); break;
    case CK_Q5_0: ck(blocks)(ck(block_q5_0), 22, 32, p, y, n); break;
    case CK_Q5_1: ck(blocks)(ck(block_q5_1), 24, 32, p, y, n); break;
    case CK_Q4_K: ck(blocks)(ck(block_q4_K), 144, 256, p, y, n); break;
    case CK_Q5_K: ck(blocks)(ck(block_q5_K), 176, 256, p, y, n); break;
    case CK_Q6_K: ck(blocks)(ck(block_q6_K), 210, 256, p, y, n); break;
    default: break;
  }
}
