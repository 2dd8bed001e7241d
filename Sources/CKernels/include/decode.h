// Stored elements to float32.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

enum {
  CK_F32,
  CK_F64,
  CK_F16,
  CK_BF16,
  CK_Q8_0,
  CK_Q4_0,
  CK_Q4_1,
  CK_Q5_0,
  CK_Q5_1,
  CK_Q4_K,
  CK_Q5_K,
  CK_Q6_K,
  CK_Q2_K,
  CK_Q3_K,
  CK_IQ4_NL,
  CK_IQ4_XS,
  CK_MXFP4,
  CK_TQ1_0,
  CK_TQ2_0,
  CK_IQ1_S,
  CK_IQ1_M,
  CK_IQ2_XXS,
  CK_IQ2_XS,
  CK_IQ2_S,
  CK_IQ3_XXS,
  CK_IQ3_S,
  CK_INT4,  // no stored type: codes of ck_int4_matrix, for ck_prepare
};

// Point `index` of the grid of a type whose codes name points: eight codes of two bits, or four of
// four for the types of three, the first lowest; 0 for others.
uint32_t ck_grid(int32_t type, size_t index);

// Decodes `count` elements (whole blocks) at `source`, of any alignment.
void ck_decode(ck_isa isa, int32_t type, const void *source, float *output, size_t count);
