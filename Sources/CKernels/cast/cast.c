#include "cast.h"

#define CK_TEMPLATE "../cast/cast_template.h"
#include "../support/variants.h"

void ck_to_bf16(ck_isa isa, const float *source, void *output, size_t count) {
  CK_DISPATCH(to_bf16, source, output, count);
}

void ck_to_f16(ck_isa isa, const float *source, void *output, size_t count) {
  CK_DISPATCH(to_f16, source, output, count);
}
