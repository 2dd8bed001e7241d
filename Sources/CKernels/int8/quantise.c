#include "int8.h"

#include "../support/compiler.h"

// Codes must not depend on the instruction set.
CK_NO_CONTRACTION

#define CK_TEMPLATE "../int8/quantise_template.h"
#include "../support/variants.h"

void ck_round_codes(ck_isa isa, const float *w, size_t n, float scale, ck_code_range range,
                    int8_t *codes) {
  CK_DISPATCH(round_codes, w, n, scale, range, codes);
}

void ck_code_residual(ck_isa isa, const float *w, const float *importance, size_t n, float scale,
                      ck_code_range range, float sums[3]) {
  CK_DISPATCH(code_residual, w, importance, n, scale, range, sums);
}

void ck_int8_decode(ck_isa isa, const int8_t *codes, const float *scales, size_t columns,
                    size_t group, float *output) {
  CK_DISPATCH(int8_decode, codes, scales, columns, group, output);
}
