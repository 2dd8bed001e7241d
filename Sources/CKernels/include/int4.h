// Weights in 4 bits with a scale per group of inputs: W[r][c] = (code - 8) · scales[r][c / group].
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"
#include "rows.h"

// `columns` is even; a group is a multiple of 32 or at least `columns`.
typedef struct {
  const uint8_t *codes;  // rows columns / 2 bytes apart: the even column's code in the lower half
  const float *scales;   // [rows, ceil(columns / group)]
  size_t rows, columns, group;
} ck_int4_matrix;

// n codes in -8...7, n even, to n / 2 bytes and back.
void ck_int4_pack(const int8_t *codes, size_t n, uint8_t *packed);
void ck_int4_unpack(const uint8_t *packed, size_t n, int8_t *codes);

// y[t][r] = sum over groups of scale · (sum of codes · x[t]) + bias[r] in float32 for few tokens.
// x: from ck_prepare for CK_INT4; bias may be null.
void ck_int4_dots(ck_isa isa, ck_int4_matrix w, ck_rows x, const float *bias, ck_output y);
