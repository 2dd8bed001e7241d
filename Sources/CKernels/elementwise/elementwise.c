#include "elementwise.h"

#define CK_TEMPLATE "../elementwise/elementwise_template.h"
#include "../support/variants.h"

void ck_add(ck_isa isa, const float *x, float *y, size_t n) { CK_DISPATCH(add, x, y, n); }

void ck_add_scaled(ck_isa isa, const float *x, float factor, float *y, size_t n) {
  CK_DISPATCH(add_scaled, x, factor, y, n);
}

void ck_relu(ck_isa isa, float *x, size_t n) { CK_DISPATCH(relu, x, n); }

void ck_swiglu(ck_isa isa, const float *gate, const float *up, float *y, size_t n) {
  CK_DISPATCH(swiglu, gate, up, y, n);
}

void ck_log_sigmoid(ck_isa isa, float *z, float factor, size_t n) {
  CK_DISPATCH(log_sigmoid, z, factor, n);
}

void ck_rms_norm(ck_isa isa, const float *x, const float *weight, float epsilon, float *y,
                 size_t n) {
  CK_DISPATCH(rms_norm, x, weight, epsilon, y, n);
}

size_t ck_first_from_32(ck_isa isa, const void *x, uint32_t limit, size_t n) {
  CK_DISPATCH(first_from_32, x, (int32_t)limit, n);
}

size_t ck_first_from_16(ck_isa isa, const void *x, uint16_t limit, size_t n) {
  CK_DISPATCH(first_from_16, x, (int16_t)limit, n);
}

float ck_max(ck_isa isa, const float *x, size_t n) { CK_DISPATCH(largest, x, n); }

double ck_sum_exp(ck_isa isa, const float *x, float shift, size_t n) {
  CK_DISPATCH(sum_exp, x, shift, n);
}

void ck_exp_scaled(ck_isa isa, float *x, float shift, float factor, size_t n) {
  CK_DISPATCH(exp_scaled, x, shift, factor, n);
}

void ck_exp(ck_isa isa, const float *x, float *y, size_t n) { CK_DISPATCH(exp_row, x, y, n); }

void ck_rotate_half(ck_isa isa, float *x, const float *cosines, const float *sines, size_t half) {
  CK_DISPATCH(rotate_half, x, cosines, sines, half);
}

void ck_rotate_half_back(ck_isa isa, float *x, const float *cosines, const float *sines,
                         size_t half) {
  CK_DISPATCH(rotate_half_back, x, cosines, sines, half);
}
