// Blocks of 32 stored numbers to float32; included once per instruction set.

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

// The same for the patterns of one register, as they lie in memory.
CK_INLINE ck(vr) ck(widen_halves)(const uint8_t *p) {
#if CK_ISA == CK_AVX2
  return (vf8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
  vh halves = {};
  memcpy(&halves, p, 2 * CK_REGISTER);
  const vf values = ck(widen_half)(halves);
  ck(vr) first;
  memcpy(&first, &values, sizeof first);
  return first;
#endif
}

CK_INLINE float ck(half)(const uint8_t *p) {
#if CK_ISA >= CK_AVX2
  return _cvtsh_ss(ck(u16)(p));
#else
  vh h = {ck(u16)(p)};
  return ck(widen_half)(h)[0];
#endif
}

// The fifth bit of 16 codes: bit i of `bits`, moved to bit 4 of byte i.
CK_INLINE vb ck(fifth)(const uint8_t *bits) {
  const vb lane = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8_t a = bits[0], b = bits[1];
  const vb all = {a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b};
  return (vb)((all & lane) != 0) & 16;
}

CK_INLINE int ck(has_fifth)(const int32_t type) { return type == CK_Q5_0 || type == CK_Q5_1; }
CK_INLINE int ck(has_minimum)(const int32_t type) { return type == CK_Q4_1 || type == CK_Q5_1; }

// What is subtracted from a code.
CK_INLINE float ck(offset)(const int32_t type) {
  return type == CK_Q4_0 ? 8 : type == CK_Q5_0 ? 16 : 0;
}

// The codes of a block of 32: a value is factor * (code - offset), plus the minimum if there is
// one.
CK_INLINE void ck(block_codes)(const int32_t type, const uint8_t *b, vf *low, vf *high) {
  if (type == CK_Q8_0) {
    vc c[2];
    memcpy(c, b + 2, sizeof c);
    *low = __builtin_convertvector(c[0], vf);
    *high = __builtin_convertvector(c[1], vf);
    return;
  }
  b += ck(has_minimum)(type) ? 4 : 2;
  vb codes;
  memcpy(&codes, b + (ck(has_fifth)(type) ? 4 : 0), sizeof codes);
  vb first = codes & 15, second = codes >> 4;
  if (ck(has_fifth)(type)) first |= ck(fifth)(b), second |= ck(fifth)(b + 2);
  *low = __builtin_convertvector(first, vf);
  *high = __builtin_convertvector(second, vf);
}

// The values of a block of 32, each operation rounded on its own.
CK_INLINE void ck(block)(const int32_t type, const uint8_t *b, vf *low, vf *high) {
  const float d = ck(half)(b);
  ck(block_codes)(type, b, low, high);
  *low = (*low - ck(offset)(type)) * d;
  *high = (*high - ck(offset)(type)) * d;
  if (!ck(has_minimum)(type)) return;
  const float m = ck(half)(b + 2);
  *low = *low + m;
  *high = *high + m;
}

// Bytes of a block of 32.
CK_INLINE size_t ck(block_bytes)(const int32_t type) {
  switch (type) {
    case CK_Q8_0: return 34;
    case CK_Q4_0: return 18;
    case CK_Q4_1: return 20;
    case CK_Q5_0: return 22;
    default: return 24;
  }
}

// Scales and minima of the eight sub-blocks of 32 of q4_K and q5_K: 6-bit integers packed in 12
// bytes after the two factors.
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

// The codes of sub-blocks 2 part and 2 part + 1 of q4_K or q5_K, halves of 16: a value is scale *
// code - minimum.
CK_INLINE void ck(codes_45_K)(const int32_t type, const uint8_t *b, const int part, vf low[2],
                              vf high[2]) {
  CK_EACH(i, 2) {
    const size_t first = type == CK_Q5_K ? 48 : 16;
    vb q, fifth;
    memcpy(&q, b + first + 32 * (size_t)part + 16 * (size_t)i, sizeof q);
    vb lower = q & 15, upper = q >> 4;
    if (type == CK_Q5_K) {
      memcpy(&fifth, b + 16 + 16 * (size_t)i, sizeof fifth);
      lower |= (fifth >> (2 * part) & 1) << 4;
      upper |= (fifth >> (2 * part + 1) & 1) << 4;
    }
    low[i] = __builtin_convertvector(lower, vf);
    high[i] = __builtin_convertvector(upper, vf);
  }
}

// Of half `part` of a block of q6_K the codes, less 32, 16 i ... 16 i + 15 of each quarter; each 16
// have a scale of their own.
CK_INLINE void ck(codes_6_K)(const uint8_t *b, const int part, const int i, vf codes[4]) {
  vb first, second, high;
  memcpy(&first, b + 64 * (size_t)part + 16 * (size_t)i, sizeof first);
  memcpy(&second, b + 64 * (size_t)part + 32 + 16 * (size_t)i, sizeof second);
  memcpy(&high, b + 128 + 32 * (size_t)part + 16 * (size_t)i, sizeof high);
  const vb q[4] = {(first & 15) | (high & 3) << 4, (second & 15) | (high >> 2 & 3) << 4,
                   first >> 4 | (high >> 4 & 3) << 4, second >> 4 | high >> 6 << 4};
  CK_EACH(quarter, 4) codes[quarter] = __builtin_convertvector((vc)(q[quarter] - 32), vf);
}
