#include "linear.h"

#include "decode.h"

#define CK_TEMPLATE "../linear/dot_template.h"
#include "../support/variants.h"

void ck_dot_rows(ck_isa isa, ck_stored_rows w, ck_rows x, const float *bias, ck_output y) {
  CK_DISPATCH(dot_rows, w, x, bias, y);
}

// Columns in whole steps of 32, then the sum of each of these.
size_t ck_prepared_count(size_t columns) {
  const size_t steps = (columns + 31) / 32;
  return 32 * steps + (steps + 15) / 16 * 16;
}

void ck_prepare(int32_t type, const float *x, float *prepared, size_t columns) {
  const size_t padded = (columns + 31) / 32 * 32;
  for (size_t c = 0; c < padded; c++) {
    // Within 32 columns, some weights come as the even ones, then the odd ones.
    const size_t lane = c % 32;
    const int32_t apart = type == CK_BF16 || type == CK_INT4;
    size_t source = !apart ? c : c - lane + (lane < 16 ? 2 * lane : 2 * (lane - 16) + 1);
    prepared[c] = source < columns ? x[source] : 0.0f;
  }
  // Only codes that are offset, or have a minimum, ask for them.
  for (size_t step = 0; type > CK_Q8_0 && step < padded / 32; step++) {
    float sum = 0;
    for (size_t c = 0; c < 32; c++) sum += prepared[32 * step + c];
    prepared[padded + step] = sum;
  }
}
