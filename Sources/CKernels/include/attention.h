// Pieces of softmax attention with a running maximum and sum per row (online softmax).
#pragma once

#include <stddef.h>

#include "isa.h"
#include "rows.h"

// A tile of scores [rows, columns], `stride` floats from row to row.
typedef struct {
  float *scores;
  size_t rows, columns, stride;
} ck_score_tile;

// What a running softmax knows of its rows. Start with maximum -infinity, sum 0, output 0.
typedef struct {
  float *maximum, *sum;
  float *output;  // [width]; null with width 0, when only the maxima and sums are wanted
  size_t width, output_stride;
} ck_softmax_state;

// Turns scores into weights exp(score - maximum) and folds them into the running state. Row r sees
// columns low[r]..<high[r]; the others get weight 0. Where the maximum grows, sum[r] and output[r]
// are scaled down.
void ck_softmax_tile(ck_isa isa, ck_score_tile tile, const int *low, const int *high,
                     ck_softmax_state state);

enum { CK_ATTEND_TILE = 64 };

// The queries of one group and the keys and values of its head, all visible to them.
typedef struct {
  const float *queries;  // [group, key_width], scaled
  size_t group, key_width;
  ck_rows keys;
  ck_rows values;  // as many as keys
} ck_attention;

// Attends from the queries to the keys; `state` with value_width as its width and stride. scores:
// scratch [group, CK_ATTEND_TILE].
void ck_attend(ck_isa isa, ck_attention call, ck_softmax_state state, float *scores);

// Turns a tile of scores into probabilities p = exp(score - maximum[r]) · factor[r] and a tile of
// their gradients dp, laid out like it, into those of the scores, p · (dp - mean[r]). Outside
// columns low[r]..<high[r] both become 0. factor: 1 / the sum of a row's exponentials; mean: the
// sum of its p · dp.
typedef struct {
  const float *maximum, *factor, *mean;
} ck_softmax_rows;
void ck_softmax_backward_tile(ck_isa isa, ck_score_tile tile, float *gradients, const int *low,
                              const int *high, ck_softmax_rows rows);

// dots[r] = the sum of a[r] · b[r] for a, b [rows, columns].
void ck_row_dots(ck_isa isa, const float *a, const float *b, size_t rows, size_t columns,
                 float *dots);
