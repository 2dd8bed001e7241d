// Spike counts of activations.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

// The sum of |x| in double.
double ck_sum_magnitude(ck_isa isa, const float *x, size_t n);
// s = x / threshold, rounded half to even. Beyond int32 the largest or smallest count, NaN the
// smallest; returns how many of these there are.
size_t ck_spike_counts(ck_isa isa, const float *x, float threshold, int32_t *s, size_t n);
// y = s · threshold without leaving float: NaN and infinities stay what they are.
void ck_spike_values(ck_isa isa, const float *x, float threshold, float *y, size_t n);
