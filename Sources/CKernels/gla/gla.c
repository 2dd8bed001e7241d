#include "gla.h"

#define CK_TEMPLATE "../gla/gla_template.h"
#include "../support/variants.h"

void ck_gla_recurrent(size_t tokens, size_t group, size_t rows, size_t columns, float scale,
                      const float *q, size_t q_stride, const float *k, size_t k_stride,
                      const float *v, size_t v_stride, const float *g, size_t g_stride,
                      int lane_decay, float *state, size_t state_stride, float *o,
                      size_t o_stride, size_t o_head_stride, float *scratch) {
  CK_DISPATCH(gla_recurrent, tokens, group, rows, columns, scale, q, q_stride, k, k_stride, v,
              v_stride, g, g_stride, lane_decay, state, state_stride, o, o_stride, o_head_stride,
              scratch);
}
