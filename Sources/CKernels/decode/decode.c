#include "decode.h"

#pragma STDC FP_CONTRACT OFF

#define CK_TEMPLATE "../decode/decode_template.h"
#include "../support/variants.h"

void ck_decode(int32_t type, const void *source, float *output, size_t count) {
  CK_DISPATCH(decode, type, source, output, count);
}
