#include "planes.h"

#define CK_TEMPLATE "../planes/planes_template.h"
#include "../support/variants.h"

void ck_split_planes16(ck_isa isa, const uint8_t *x, uint8_t *planes, size_t n) {
  CK_DISPATCH(split16, x, planes, planes + n, n);
}

void ck_split_planes32(ck_isa isa, const uint8_t *x, uint8_t *planes, size_t n) {
  CK_DISPATCH(split32, x, planes, planes + n, planes + 2 * n, planes + 3 * n, n);
}

void ck_merge_planes16(ck_isa isa, const uint8_t *planes, uint8_t *x, size_t n) {
  CK_DISPATCH(merge16, planes, planes + n, x, n);
}

void ck_merge_planes32(ck_isa isa, const uint8_t *planes, uint8_t *x, size_t n) {
  CK_DISPATCH(merge32, planes, planes + n, planes + 2 * n, planes + 3 * n, x, n);
}
