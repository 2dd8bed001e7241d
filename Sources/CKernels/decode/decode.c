#include "decode.h"

#include "../support/compiler.h"
#include "grids.h"

CK_NO_CONTRACTION

typedef void block_decoder(const uint8_t *block, float *output);

#define CK_TEMPLATE "../decode/decode_template.h"
#include "../support/variants.h"

void ck_decode(ck_isa isa, int32_t type, const void *source, float *output, size_t count) {
  CK_DISPATCH(decode, type, source, output, count);
}
