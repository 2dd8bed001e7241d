#include "gla.h"

// A run from some token and channel on, with the decays of its tokens.
typedef struct {
  ck_gla_run run;
  const float *decay;  // exp g [N, decay_stride], of rows or of lanes
  size_t decay_stride;
} gla_block;

#define CK_TEMPLATE "../gla/gla_template.h"
#include "../support/variants.h"

void ck_gla_recurrent(ck_isa isa, ck_gla_run run) { CK_DISPATCH(gla_recurrent, run); }
