// Blocks whose codes name points of a grid. Included once per instruction set; every operation is
// rounded on its own.

CK_INLINE uint32_t ck(u32)(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

// Eight signs from seven bits: the eighth makes their number even.
CK_INLINE uint32_t ck(signs)(uint32_t bits) {
  bits &= 127;
  uint32_t parity = bits ^ bits >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return bits | (parity & 1) << 7;
}

CK_INLINE float ck(signed_value)(float value, uint32_t signs, int i) {
  return signs >> i & 1 ? -value : value;
}

// Eight values of two bits each: 8, 25 or 43.
CK_INLINE void ck(point_2)(uint32_t point, float scale, uint32_t signs, float *y) {
  for (int i = 0; i < 8; i++) {
    const int code = point >> (2 * i) & 3;
    y[i] = ck(signed_value)(scale * (float)(8 + 17 * code + (code >> 1)), signs, i);
  }
}

// The factor, then for each 32 values four indices and a word of signs and scale.
CK_INLINE void ck(block_iq2_xxs)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int part = 0; part < 8; part++) {
    const uint8_t *indices = b + 2 + 8 * part;
    const uint32_t word = ck(u32)(indices + 4);
    const float scale = d * (0.5f + (float)(word >> 28)) * 0.25f;
    for (int i = 0; i < 4; i++)
      ck(point_2)(ck_grid_point(ck_grid_iq2_xxs, indices[i]), scale, ck(signs)(word >> (7 * i)),
                  y + 32 * part + 8 * i);
  }
}

// The factor, 32 words of nine bits of index and seven of signs, 16 scales of four bits.
CK_INLINE void ck(block_iq2_xs)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int i = 0; i < 32; i++) {
    const uint32_t word = ck(u16)(b + 2 + 2 * i);
    const int s = b[66 + i / 4] >> (i / 2 % 2 * 4) & 15;
    ck(point_2)(ck_grid_point(ck_grid_iq2_xs, word & 511), d * (0.5f + (float)s) * 0.25f,
                ck(signs)(word >> 9), y + 8 * i);
  }
}

// The factor, 32 bytes of indices, 32 of signs, 8 of the indices' upper bits, 16 scales of four
// bits.
CK_INLINE void ck(block_iq2_s)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int i = 0; i < 32; i++) {
    const size_t index = b[2 + i] | (size_t)(b[66 + i / 4] >> (i % 4 * 2) & 3) << 8;
    const int s = b[74 + i / 4] >> (i / 2 % 2 * 4) & 15;
    ck(point_2)(ck_grid_point(ck_grid_iq2_s, index), d * (0.5f + (float)s) * 0.25f, b[34 + i],
                y + 8 * i);
  }
}

// The factor, 64 bytes of indices, for each 32 values a word of signs and scale.
CK_INLINE void ck(block_iq3_xxs)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int part = 0; part < 8; part++) {
    const uint32_t word = ck(u32)(b + 66 + 4 * part);
    const float scale = d * (0.5f + (float)(word >> 28)) * 0.5f;
    for (int i = 0; i < 32; i++) {
      const uint32_t point = ck_grid_point(ck_grid_iq3_xxs, b[2 + 8 * part + i / 4]);
      const int code = point >> (i % 4 * 4) & 15;
      const float value = (float)(4 + 8 * code + (code == 7 ? 2 : 0));
      y[32 * part + i] = ck(signed_value)(scale * value, ck(signs)(word >> (i / 8 * 7)), i % 8);
    }
  }
}

// The factor, 64 bytes of indices, 8 of their upper bits, 32 of signs, 8 scales of four bits.
CK_INLINE void ck(block_iq3_s)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int i = 0; i < 64; i++) {
    const size_t index = b[2 + i] | (size_t)(b[66 + i / 8] >> (i % 8) & 1) << 8;
    const uint32_t point = ck_grid_point(ck_grid_iq3_s, index), signs = b[74 + i / 2];
    const float scale = d * (float)(1 + 2 * (b[106 + i / 16] >> (i / 8 % 2 * 4) & 15));
    for (int k = 0; k < 4; k++) {
      const float value = (float)(1 + 2 * (point >> (4 * k) & 15));
      y[4 * i + k] = ck(signed_value)(scale * value, signs, i % 2 * 4 + k);
    }
  }
}

// Eight values of -1, 0 or 1, all moved by an eighth.
CK_INLINE void ck(point_1)(size_t index, float scale, float delta, float *y) {
  const uint32_t point = ck_grid_point(ck_grid_iq1_s, index);
  for (int i = 0; i < 8; i++) y[i] = scale * ((float)((int)(point >> (2 * i) & 3) - 1) + delta);
}

// The factor, 32 bytes of indices, for each 32 values a word of upper bits, scale and delta's sign.
CK_INLINE void ck(block_iq1_s)(const uint8_t *b, float *y) {
  const float d = ck(half)(b);
  for (int i = 0; i < 32; i++) {
    const uint32_t word = ck(u16)(b + 34 + i / 4 * 2);
    const size_t index = b[2 + i] | (size_t)(word >> (i % 4 * 3) & 7) << 8;
    ck(point_1)(index, d * (float)(2 * (word >> 12 & 7) + 1), word >> 15 ? -0.125f : 0.125f,
                y + 8 * i);
  }
}

// 32 bytes of indices, 16 of upper bits and deltas' signs, four words of scales of three bits,
// whose upper four bits are the factor.
CK_INLINE void ck(block_iq1_m)(const uint8_t *b, float *y) {
  const uint8_t *s = b + 48;
  const uint8_t factor[2] = {(uint8_t)(s[1] >> 4 | (s[3] & 0xf0)),
                             (uint8_t)(s[5] >> 4 | (s[7] & 0xf0))};
  const float d = ck(half)(factor);
  for (int i = 0; i < 32; i++) {
    const int upper = b[32 + i / 2] >> (i % 2 * 4) & 15;
    const int scale = ck(u16)(s + i / 8 * 2) >> (i / 2 % 4 * 3) & 7;
    ck(point_1)(b[i] | (size_t)(upper & 7) << 8, d * (float)(2 * scale + 1),
                upper & 8 ? -0.125f : 0.125f, y + 8 * i);
  }
}
