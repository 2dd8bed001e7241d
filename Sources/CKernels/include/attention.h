// Pieces of softmax attention with a running maximum and sum per row (online softmax).
#pragma once

#include <stddef.h>

// Turns a tile of scores [rows, columns] into weights exp(score - maximum) and folds it into the
// running state. Row r sees columns low[r]..<high[r]; the others get weight 0. Where the maximum
// grows, sum[r] and output[r] [width] are scaled down. Start with maximum -infinity, sum 0.
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
