#include "gla.h"

// A run from some token and channel on, with the decays of its tokens.
typedef struct {
  ck_gla_adjoint_run run;
  const float *decay;  // exp g of the token after, [N, decay_stride], of rows or of lanes
  size_t decay_stride;
} gla_block;

#define CK_TEMPLATE "../gla/gla_adjoint_template.h"
#include "../support/variants.h"

void ck_gla_adjoint(ck_isa isa, ck_gla_adjoint_run run) { CK_DISPATCH(gla_adjoint, run); }

void ck_gla_decay_gradient(ck_isa isa, ck_gla_decay_run run) {
  CK_DISPATCH(gla_decay_gradient, run);
}

void ck_column_products(ck_isa isa, const float *a, const float *b, size_t rows, size_t columns,
                        double factor, double *sums) {
  CK_DISPATCH(column_products, a, b, rows, columns, factor, sums);
}
