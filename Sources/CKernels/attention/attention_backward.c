#include "attention.h"

#define CK_TEMPLATE "../attention/attention_backward_template.h"
#include "../support/variants.h"

void ck_softmax_backward_tile(ck_isa isa, ck_score_tile tile, float *gradients, const int *low,
                              const int *high, ck_softmax_rows rows) {
  CK_DISPATCH(softmax_backward_tile, tile, gradients, low, high, rows);
}

void ck_row_dots(ck_isa isa, const float *a, const float *b, size_t rows, size_t columns,
                 float *dots) {
  CK_DISPATCH(row_dots, a, b, rows, columns, dots);
}
