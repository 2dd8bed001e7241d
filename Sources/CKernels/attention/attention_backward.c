#include "attention.h"

#define CK_TEMPLATE "../attention/attention_backward_template.h"
#include "../support/variants.h"

void ck_softmax_backward_tile(float *scores, float *gradients, size_t rows, size_t columns,
                              size_t stride, const int *low, const int *high, const float *maximum,
                              const float *factor, const float *mean) {
  CK_DISPATCH(softmax_backward_tile, scores, gradients, rows, columns, stride, low, high, maximum,
              factor, mean);
}

void ck_row_dots(const float *a, const float *b, size_t rows, size_t columns, float *dots) {
  CK_DISPATCH(row_dots, a, b, rows, columns, dots);
}
