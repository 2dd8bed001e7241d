#include "gla.h"

#define CK_TEMPLATE "../gla/gla_template.h"
#include "../support/variants.h"

void ck_gla_recurrent(size_t tokens, size_t group, size_t key_width, size_t columns, float scale,
                      const float *q, size_t q_stride, const float *k, const float *g,
                      size_t k_stride, const float *v, size_t v_stride, float *state,
                      size_t state_stride, float *o, size_t o_stride, size_t o_head_stride,
                      float *scratch) {
  CK_DISPATCH(gla_recurrent, tokens, group, key_width, columns, scale, q, q_stride, k, g, k_stride,
              v, v_stride, state, state_stride, o, o_stride, o_head_stride, scratch);
}
