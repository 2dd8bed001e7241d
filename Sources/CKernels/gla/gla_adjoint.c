#include "gla.h"

#define CK_TEMPLATE "../gla/gla_adjoint_template.h"
#include "../support/variants.h"

void ck_gla_adjoint(size_t tokens, size_t group, size_t rows, size_t columns, float scale,
                    const float *a, size_t a_stride, const float *b, size_t b_stride,
                    size_t b_head_stride, const float *c, size_t c_stride, const float *g,
                    size_t g_stride, int lane_decay, float *state, size_t state_stride, float *o,
                    size_t o_stride, float *scratch) {
  CK_DISPATCH(gla_adjoint, tokens, group, rows, columns, scale, a, a_stride, b, b_stride,
              b_head_stride, c, c_stride, g, g_stride, lane_decay, state, state_stride, o,
              o_stride, scratch);
}

void ck_gla_decay_gradient(size_t tokens, size_t group, size_t columns, const float *q,
                           const float *dq, size_t q_stride, size_t q_head_stride, const float *k,
                           const float *dk, size_t k_stride, float *dg, double *sums) {
  CK_DISPATCH(gla_decay_gradient, tokens, group, columns, q, dq, q_stride, q_head_stride, k, dk,
              k_stride, dg, sums);
}

void ck_column_products(const float *a, const float *b, size_t rows, size_t columns,
                        double factor, double *sums) {
  CK_DISPATCH(column_products, a, b, rows, columns, factor, sums);
}
