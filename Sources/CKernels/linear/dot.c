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
  // Within 32 columns, some weights come as the even ones, then the odd ones.
  const int32_t apart = type == CK_BF16 || type == CK_INT4;
  for (size_t c = 0; c < padded; c += 32) {
    float last[32] = {0};
    const float *values = x + c;
    if (columns - c < 32) values = memcpy(last, values, (columns - c) * sizeof(float));
    if (!apart) memcpy(prepared + c, values, sizeof last);
    for (size_t i = 0; apart && i < 16; i++) {
      prepared[c + i] = values[2 * i];
      prepared[c + 16 + i] = values[2 * i + 1];
    }
  }
  // Only codes that are offset, or have a minimum, ask for them.
  for (size_t step = 0; type > CK_Q8_0 && step < padded / 32; step++) {
    float sum = 0;
    for (size_t c = 0; c < 32; c++) sum += prepared[32 * step + c];
    prepared[padded + step] = sum;
  }
}
