#include "attention.h"

#define CK_TEMPLATE "../attention/attention_template.h"
#include "../support/variants.h"

void ck_softmax_tile(float *scores, size_t rows, size_t columns, size_t stride, const int *low,
                     const int *high, float *maximum, float *sum, float *output, size_t width,
                     size_t output_stride) {
  CK_DISPATCH(softmax_tile, scores, rows, columns, stride, low, high, maximum, sum, output, width,
              output_stride);
}

void ck_attend(const float *queries, size_t group, size_t key_width, size_t value_width,
               const float *keys, size_t key_stride, const float *values, size_t value_stride,
               size_t count, float *maximum, float *sum, float *output, float *scores) {
  CK_DISPATCH(attend, queries, group, key_width, value_width, keys, key_stride, values,
              value_stride, count, maximum, sum, output, scores);
}
