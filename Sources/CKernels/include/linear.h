// Products of stored weight rows with a few float32 activation vectors.
#pragma once

#include <stddef.h>
#include <stdint.h>

// y[t][r] = sum over c of W[r][c] x[t][c] + bias[r] for `rows` rows and `tokens` tokens.
//
// type: CK_F32, CK_BF16 or CK_F16. W: rows `row_stride` bytes apart, any alignment. x: from
// ck_prepare, `x_stride` floats apart. y: `y_stride` floats between tokens. bias may be null.
void ck_dot_rows(int32_t type, const void *weight, ptrdiff_t row_stride, size_t rows,
                 size_t columns, const float *x, size_t x_stride, size_t tokens, const float *bias,
                 float *y, size_t y_stride);

// Floats of one prepared activation vector.
size_t ck_prepared_count(size_t columns);

// Copies x in the order ck_dot_rows reads it for this type, padded with zeros.
void ck_prepare(int32_t type, const float *x, float *prepared, size_t columns);
