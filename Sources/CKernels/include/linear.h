// Products of stored weight rows with a few float32 activation vectors, and of two matrices whose
// values are rounded to bfloat16.
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

enum { CK_BF16_SCRATCH = (576 + 32) * 576 * 2 };

// A matrix read by ck_bf16_product, `stride` floats from row to row.
typedef struct {
  // Whether a row runs along the summed index k: A stored [m, k], B stored [n, k].
  int32_t depth_in_rows;
  const float *values;
  ptrdiff_t stride;
} ck_operand;

// C [m, n] = A B, or C += A B, rounding operands to bfloat16 (nearest even) and
// accumulating in float32. C: `c_stride` floats from row to row. scratch: CK_BF16_SCRATCH bytes,
// aligned to 64. Only where ck_isa_bf16(). An element's bits depend on k and its row and column, not on m and n.
void ck_bf16_product(ck_operand a, ck_operand b, size_t m, size_t n, size_t k, int32_t adding,
                     float *c, ptrdiff_t c_stride, void *scratch);
