// Byte planes: loops that the compiler turns into narrowing and widening moves.

static void ck(split16)(const uint8_t *restrict x, uint8_t *restrict a, uint8_t *restrict b,
                        size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint16_t v;
    memcpy(&v, x + 2 * i, sizeof v);
    a[i] = (uint8_t)(v >> 7);
    b[i] = (uint8_t)(v << 1 | v >> 15);
  }
}

static void ck(merge16)(const uint8_t *restrict a, const uint8_t *restrict b, uint8_t *restrict x,
                        size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint16_t v = (uint16_t)(a[i] << 7 | b[i] >> 1 | b[i] << 15);
    memcpy(x + 2 * i, &v, sizeof v);
  }
}

static void ck(split32)(const uint8_t *restrict x, uint8_t *restrict a, uint8_t *restrict b,
                        uint8_t *restrict c, uint8_t *restrict d, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint32_t v;
    memcpy(&v, x + 4 * i, sizeof v);
    a[i] = (uint8_t)(v >> 23);
    b[i] = (uint8_t)((v >> 15 & 0xfe) | v >> 31);
    c[i] = (uint8_t)(v >> 8);
    d[i] = (uint8_t)v;
  }
}

static void ck(merge32)(const uint8_t *restrict a, const uint8_t *restrict b,
                        const uint8_t *restrict c, const uint8_t *restrict d, uint8_t *restrict x,
                        size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint32_t sign = (uint32_t)b[i] << 31, high = (uint32_t)a[i] << 23 | (uint32_t)(b[i] >> 1) << 16;
    uint32_t v = sign | high | (uint32_t)c[i] << 8 | d[i];
    memcpy(x + 4 * i, &v, sizeof v);
  }
}
