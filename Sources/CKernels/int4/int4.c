#include "int4.h"

#define CK_TEMPLATE "../int4/int4_template.h"
#include "../support/variants.h"

void ck_int4_dots(ck_isa isa, ck_int4_matrix w, ck_rows x, const float *bias, ck_output y) {
  CK_DISPATCH(int4_dots, w, x, bias, y);
}

void ck_int4_pack(const int8_t *codes, size_t n, uint8_t *packed) {
  for (size_t i = 0; i < n / 2; i++)
    packed[i] = (uint8_t)((codes[2 * i] + 8) | (codes[2 * i + 1] + 8) << 4);
}

void ck_int4_unpack(const uint8_t *packed, size_t n, int8_t *codes) {
  for (size_t i = 0; i < n / 2; i++) {
    codes[2 * i] = (int8_t)((packed[i] & 15) - 8);
    codes[2 * i + 1] = (int8_t)((packed[i] >> 4) - 8);
  }
}
