#include "spikes.h"

#define CK_TEMPLATE "../spikes/spikes_template.h"
#include "../support/variants.h"

double ck_sum_magnitude(ck_isa isa, const float *x, size_t n) { CK_DISPATCH(sum_magnitude, x, n); }

size_t ck_spike_counts(ck_isa isa, const float *x, float threshold, int32_t *s, size_t n) {
  CK_DISPATCH(spike_counts, x, threshold, s, n);
}

void ck_spike_values(ck_isa isa, const float *x, float threshold, float *y, size_t n) {
  CK_DISPATCH(spike_values, x, threshold, y, n);
}
