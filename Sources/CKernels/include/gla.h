// Gated linear attention, token by token.
#pragma once

#include <stddef.h>

// Tokens whose decays are computed at a time.
enum { CK_GLA_CHUNK = 32 };

// Runs `tokens` tokens of one key/value head for `columns` value channels:
// S = diag(exp g) S + kᵀ v, o = scale · q S for each of `group` query heads.
//
// q: `group` heads of key_width floats, q_stride floats from token to token; k, g, v likewise for
// one head; state: key_width rows of state_stride floats; o: `group` heads o_head_stride floats
// apart. v, state and o point at the first of the value channels. scratch: CK_GLA_CHUNK · key_width
// floats.
void ck_gla_recurrent(size_t tokens, size_t group, size_t key_width, size_t columns, float scale,
                      const float *q, size_t q_stride, const float *k, const float *g,
                      size_t k_stride, const float *v, size_t v_stride, float *state,
                      size_t state_stride, float *o, size_t o_stride, size_t o_head_stride,
                      float *scratch);
