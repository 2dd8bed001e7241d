// Products of stored weight rows with a few float32 activation vectors, and of two matrices.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"
#include "rows.h"

// Weight rows as they are stored.
typedef struct {
  int32_t type;      // CK_F32, CK_BF16, CK_F16, or one of blocks, whose size divides `columns`
  const void *rows;  // any alignment
  ptrdiff_t stride;  // bytes from row to row
  size_t count, columns;
} ck_stored_rows;

// y[t][r] = sum over c of W[r][c] x[t][c] + bias[r]. x: from ck_prepare; bias may be null.
void ck_dot_rows(ck_isa isa, ck_stored_rows w, ck_rows x, const float *bias, ck_output y);

// Floats of one prepared activation vector.
size_t ck_prepared_count(size_t columns);

// Copies x in the order ck_dot_rows reads it for this type, padded with zeros.
void ck_prepare(int32_t type, const float *x, float *prepared, size_t columns);

// A matrix read by a product, `stride` floats from row to row.
typedef struct {
  // Whether a row runs along the summed index k: A stored [m, k], B stored [n, k].
  int32_t depth_in_rows;
  const float *values;
  ptrdiff_t stride;
} ck_operand;

// C [m, n] = A B, or C += A B; C: `c_stride` floats from row to row.
//
// An element's bits depend on k and its row and column, not on m and n. k is at least 1.
typedef struct {
  ck_operand a, b;
  size_t m, n, k;
  int32_t adding;
  float *c;
  ptrdiff_t c_stride;
} ck_product;

// The product in float32.
void ck_f32_product(ck_isa isa, ck_product p);

// The product with operands rounded to bfloat16 (nearest even), accumulated in float32. Only where
// CK_AVX512_BF16 is detected.
void ck_bf16_product(ck_product p);

// The same by AMX tiles, only where ck_amx_available() says so; and by a model of their
// instructions, anywhere and slowly, for tests.
int32_t ck_amx_available(void);
void ck_amx_product(ck_product p);
void ck_amx_model_product(ck_product p);
