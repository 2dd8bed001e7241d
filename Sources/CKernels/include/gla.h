// Gated linear attention, token by token, and its gradients.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

// Tokens whose decays are computed at a time.
enum { CK_GLA_CHUNK = 32 };

// Runs `tokens` tokens of one key/value head: S = diag(exp g) S + kᵀ v, o = scale · q S for each
// of `group` query heads. S has `rows` channels of q and k and `columns` of v and o. Strides are
// floats from token to token.
typedef struct {
  size_t tokens, group, rows, columns;
  float scale;
  // Whether g is one value per column (S = S diag(exp g) + kᵀ v), not one per row.
  int32_t lane_decay;
  const float *q;  // `group` heads of `rows` floats
  size_t q_stride;
  const float *k;
  size_t k_stride;
  const float *v;  // the first of the columns
  size_t v_stride;
  const float *g;  // with lane_decay, the first of the columns
  size_t g_stride;
  float *state;  // the first of the columns; rows of state_stride floats
  size_t state_stride;
  float *o;  // the first of the columns; heads o_head_stride floats apart
  size_t o_stride, o_head_stride;
  float *scratch;  // CK_GLA_CHUNK · (lane_decay ? columns : rows) floats
} ck_gla_run;
void ck_gla_recurrent(ck_isa isa, ck_gla_run run);

// Runs the gradient R of the state from the last token to the first: R_t = sum over heads of
// a_tᵀ b_t + diag(exp g_{t+1}) R_{t+1} and o_t = scale · c_t R_t. R itself is without the scale.
// Strides, g and scratch as above.
typedef struct {
  size_t tokens, group, rows, columns;
  float scale;
  int32_t lane_decay;
  const float *a;  // `group` heads of `rows` floats
  size_t a_stride;
  const float *b;  // `group` heads, `columns` of each used
  size_t b_stride, b_head_stride;
  const float *c;  // rows
  size_t c_stride;
  const float *g;
  size_t g_stride;
  // On entry the gradient of the state after the last token, on return that of the state before the
  // first one.
  float *state;
  size_t state_stride;
  float *o;  // columns
  size_t o_stride;
  float *scratch;
} ck_gla_adjoint_run;
void ck_gla_adjoint(ck_isa isa, ck_gla_adjoint_run run);

// dg_t = sums + sum over s >= t of (sum over heads of q_s · dq_s - k_s · dk_s), in double, for
// `columns` channels of one key/value head.
typedef struct {
  size_t tokens, group, columns;
  const float *q, *dq;  // `group` heads q_head_stride floats apart
  size_t q_stride, q_head_stride;
  const float *k, *dk;
  size_t k_stride;  // of dg too
  float *dg;
  double *sums;  // [columns]: on return, dg_0
} ck_gla_decay_run;
void ck_gla_decay_gradient(ck_isa isa, ck_gla_decay_run run);

// sums[i] = factor · sum over r of a[r][i] b[r][i] for a, b [rows, columns], in double.
void ck_column_products(ck_isa isa, const float *a, const float *b, size_t rows, size_t columns,
                        double factor, double *sums);
