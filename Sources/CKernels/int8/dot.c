#include "int8.h"

#define CK_TEMPLATE "../int8/dot_template.h"
#include "../support/variants.h"

void ck_int8_dots(ck_isa isa, ck_int8_matrix w, ck_rows x, const float *bias, ck_output y) {
  CK_DISPATCH(int8_dots, w, x, bias, y);
}
