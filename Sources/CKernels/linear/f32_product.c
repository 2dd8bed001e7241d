#include "linear.h"

#include "../support/scratch.h"

// The longest stretch of k summed in registers, the most columns of B packed at a time, and the
// most rows of A: 320 KB of B, which leaves room in a second-level cache of 512 KB.
#define DEPTH 320
#define BLOCK_COLUMNS 256
#define MOST_ROWS 12

#define CK_TEMPLATE "../linear/f32_product_template.h"
#include "../support/variants.h"

void ck_f32_product(ck_isa isa, ck_product p) {
  float *scratch = ck_scratch((DEPTH * BLOCK_COLUMNS + DEPTH * MOST_ROWS) * sizeof(float));
  CK_DISPATCH(f32_product, p, scratch);
}
