// Gated linear attention, token by token, and its gradients.
#pragma once

#include <stddef.h>

// Tokens whose decays are computed at a time.
enum { CK_GLA_CHUNK = 32 };

// Runs `tokens` tokens of one key/value head: S = diag(exp g) S + kᵀ v, o = scale · q S for each
// of `group` query heads. S has `rows` channels of q and k and `columns` of v and o.
//
// q: `group` heads of `rows` floats, q_stride floats from token to token; k, v, g likewise for one
// head; state: rows of state_stride floats; o: `group` heads o_head_stride floats apart. v, state
// and o point at the first of the columns. g is one value per row or, with lane_decay, one per
// column (S = S diag(exp g) + kᵀ v), then pointing at the first of the columns too.
// scratch: CK_GLA_CHUNK · (lane_decay ? columns : rows) floats.
void ck_gla_recurrent(size_t tokens, size_t group, size_t rows, size_t columns, float scale,
                      const float *q, size_t q_stride, const float *k, size_t k_stride,
                      const float *v, size_t v_stride, const float *g, size_t g_stride,
                      int lane_decay, float *state, size_t state_stride, float *o,
                      size_t o_stride, size_t o_head_stride, float *scratch);

// Runs the gradient R of the state from the last token to the first: R_t = sum over heads of
// a_tᵀ b_t + diag(exp g_{t+1}) R_{t+1} and o_t = scale · c_t R_t. R itself is without the scale.
//
// a: `group` heads of `rows` floats; b: `group` heads b_head_stride floats apart, `columns` of
// each used; c: rows; o: columns; strides are floats from token to token. g as above. state: on
// entry the gradient of the state after the last token, on return that of the state before the
// first one. scratch as above.
void ck_gla_adjoint(size_t tokens, size_t group, size_t rows, size_t columns, float scale,
                    const float *a, size_t a_stride, const float *b, size_t b_stride,
                    size_t b_head_stride, const float *c, size_t c_stride, const float *g,
                    size_t g_stride, int lane_decay, float *state, size_t state_stride, float *o,
                    size_t o_stride, float *scratch);

// dg_t = sums + sum over s >= t of (sum over heads of q_s · dq_s - k_s · dk_s), in double, for
// `columns` channels of one key/value head; q and dq: `group` heads q_head_stride floats apart;
// k, dk, dg: k_stride floats from token to token. sums [columns]: on return, dg_0.
void ck_gla_decay_gradient(size_t tokens, size_t group, size_t columns, const float *q,
                           const float *dq, size_t q_stride, size_t q_head_stride, const float *k,
                           const float *dk, size_t k_stride, float *dg, double *sums);

// sums[i] = factor · sum over r of a[r][i] b[r][i] for a, b [rows, columns], in double.
void ck_column_products(const float *a, const float *b, size_t rows, size_t columns,
                        double factor, double *sums);
