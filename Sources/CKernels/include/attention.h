// Pieces of softmax attention with a running maximum and sum per row (online softmax).
#pragma once

#include <stddef.h>

// Turns a tile of scores [rows, columns] into weights exp(score - maximum) and folds it into the
// running state. Row r sees columns low[r]..<high[r]; the others get weight 0. Where the maximum
// grows, sum[r] and output[r] [width] are scaled down. Start with maximum -infinity, sum 0. With
// width 0 only the maxima and sums are wanted; output may be null.
void ck_softmax_tile(float *scores, size_t rows, size_t columns, size_t stride, const int *low,
                     const int *high, float *maximum, float *sum, float *output, size_t width,
                     size_t output_stride);

// Attends from the queries of one group to `count` keys, all visible, of one key/value head.
//
// queries [group, key_width], scaled; keys and values `..._stride` floats from key to key; state
// as above with output [group, value_width]; scores: scratch [group, CK_ATTEND_TILE].
enum { CK_ATTEND_TILE = 64 };
void ck_attend(const float *queries, size_t group, size_t key_width, size_t value_width,
               const float *keys, size_t key_stride, const float *values, size_t value_stride,
               size_t count, float *maximum, float *sum, float *output, float *scores);

// Turns a tile of scores into probabilities p = exp(score - maximum[r]) · factor[r] and a tile of
// their gradients dp into those of the scores, p · (dp - mean[r]). Both tiles [rows, columns];
// outside columns low[r]..<high[r] they become 0. factor: 1 / the sum of a row's exponentials; mean:
// the sum of its p · dp.
void ck_softmax_backward_tile(float *scores, float *gradients, size_t rows, size_t columns,
                              size_t stride, const int *low, const int *high, const float *maximum,
                              const float *factor, const float *mean);

// dots[r] = the sum of a[r] · b[r] for a, b [rows, columns].
void ck_row_dots(const float *a, const float *b, size_t rows, size_t columns, float *dots);
