// Elementwise operations, norms and softmax on float32 rows.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

void ck_add(ck_isa isa, const float *x, float *y, size_t n);
void ck_add_scaled(ck_isa isa, const float *x, float factor, float *y, size_t n);
void ck_relu(ck_isa isa, float *x, size_t n);
// y = silu(gate) · up.
void ck_swiglu(ck_isa isa, const float *gate, const float *up, float *y, size_t n);
// z = logsigmoid(z) · factor.
void ck_log_sigmoid(ck_isa isa, float *z, float factor, size_t n);
// y = x / rms(x) · weight for one row.
void ck_rms_norm(ck_isa isa, const float *x, const float *weight, float epsilon, float *y,
                 size_t n);
// The index of the first of n numbers whose bits but the sign are at least `limit`; n when there is
// none. The numbers need not be aligned.
size_t ck_first_from_32(ck_isa isa, const void *x, uint32_t limit, size_t n);
size_t ck_first_from_16(ck_isa isa, const void *x, uint16_t limit, size_t n);
// The largest element, NaNs passed over; -infinity when there is none.
float ck_max(ck_isa isa, const float *x, size_t n);
// The sum of exp(x - shift) in double.
double ck_sum_exp(ck_isa isa, const float *x, float shift, size_t n);
// x = exp(x - shift) · factor.
void ck_exp_scaled(ck_isa isa, float *x, float shift, float factor, size_t n);
// x = exp(x).
void ck_exp(ck_isa isa, const float *x, float *y, size_t n);
// Rotates one head of 2 · half channels in place.
void ck_rotate_half(ck_isa isa, float *x, const float *cosines, const float *sines, size_t half);
// Rotates it back: the inverse and the transpose of ck_rotate_half.
void ck_rotate_half_back(ck_isa isa, float *x, const float *cosines, const float *sines,
                         size_t half);
