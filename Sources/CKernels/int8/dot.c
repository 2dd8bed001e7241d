#include "int8.h"

#define CK_TEMPLATE "../int8/dot_template.h"
#include "../support/variants.h"

void ck_int8_dots(ck_int8_matrix w, const float *x, size_t x_stride, size_t tokens,
                  const float *bias, float *y, size_t y_stride) {
  CK_DISPATCH(int8_dots, w, x, x_stride, tokens, bias, y, y_stride);
}
