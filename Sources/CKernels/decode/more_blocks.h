// Blocks of which models are rarely run: one number after the other, as the compiler makes of it.
// Included once per instruction set. Every operation is rounded on its own.

// The values that the codes of IQ4_NL and IQ4_XS stand for, and those of MXFP4, doubled.
CK_INLINE float ck(uneven)(int code) {
  static const int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
  return (float)values[code];
}
CK_INLINE float ck(e2m1)(int code) {
  static const int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return (float)values[code];
}

// Sixteen scales and minima of four bits, 64 bytes of codes of two bits, the two factors.
CK_INLINE void ck(block_q2_K)(const uint8_t *b, float *y) {
  const float d = ck(half)(b + 80), m = ck(half)(b + 82);
  for (int i = 0; i < 256; i++) {
    const int code = b[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    const float scale = d * (float)(b[i / 16] & 15), minimum = m * (float)(b[i / 16] >> 4);
    y[i] = scale * (float)code - minimum;
  }
}

// 32 bytes of third bits, 64 of codes of two bits, 16 scales of six bits in 12 bytes, the factor.
CK_INLINE void ck(block_q3_K)(const uint8_t *b, float *y) {
  const float d = ck(half)(b + 108);
  const uint8_t *s = b + 96;
  float scales[16];
  for (int j = 0; j < 16; j++) {
    const int low = s[j % 8] >> (j / 8 * 4) & 15, high = s[8 + j % 4] >> (j / 4 * 2) & 3;
    scales[j] = d * (float)((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; i++) {
    const int low = b[32 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    const int high = b[i % 32] >> (i / 32) & 1;
    y[i] = scales[i / 16] * (float)(low - (high ? 0 : 4));
  }
}

CK_INLINE void ck(block_iq4_nl)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int i = 0; i < 32; i++) y[i] = d * ck(uneven)(b[2 + i % 16] >> (i / 16 * 4) & 15);
}

// The factor, eight scales of six bits (their upper bits first), 128 bytes of codes.
CK_INLINE void ck(block_iq4_xs)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  const int high = ck(u16)(b + 2);
  for (int part = 0; part < 8; part++) {
    const int low = b[4 + part / 2] >> (part % 2 * 4) & 15;
    const float scale = d * (float)((low | (high >> (2 * part) & 3) << 4) - 32);
    for (int i = 0; i < 32; i++)
      y[32 * part + i] = scale * ck(uneven)(b[8 + 16 * part + i % 16] >> (i / 16 * 4) & 15);
  }
}

// Half of 2^(e - 127), which is subnormal for the two smallest.
CK_INLINE float ck(half_power)(uint8_t e) {
  const uint32_t bits = e < 2 ? 0x200000u << e : (uint32_t)(e - 1) << 23;
  float power;
  memcpy(&power, &bits, 4);
  return power;
}

CK_INLINE void ck(block_mxfp4)(const uint8_t *b, float *y) {
  const float d = ck(half_power)(b[0]);
  for (int i = 0; i < 32; i++) y[i] = d * ck(e2m1)(b[1 + i % 16] >> (i / 16 * 4) & 15);
}

// Digit `place` of a byte of five digits of base three, which is a fraction of 256.
CK_INLINE float ck(digit)(uint8_t byte, int place) {
  static const uint8_t powers[5] = {1, 3, 9, 27, 81};
  const uint8_t rest = (uint8_t)(byte * powers[place]);
  return (float)((rest * 3 >> 8) - 1);
}

// 32 bytes of five digits, 16 of five, 4 of four, the factor.
CK_INLINE void ck(block_tq1_0)(const uint8_t *b, float *y) {
  const float d = ck(half)(b + 52);
  for (int i = 0; i < 160; i++) y[i] = d * ck(digit)(b[i % 32], i / 32);
  for (int i = 0; i < 80; i++) y[160 + i] = d * ck(digit)(b[32 + i % 16], i / 16);
  for (int i = 0; i < 16; i++) y[240 + i] = d * ck(digit)(b[48 + i % 4], i / 4);
}

CK_INLINE void ck(block_tq2_0)(const uint8_t *b, float *y) {
  const float d = ck(half)(b + 64);
  for (int i = 0; i < 256; i++)
    y[i] = d * (float)((b[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3) - 1);
}
