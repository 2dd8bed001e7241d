// Gradients of elementwise operations and norms, sums in double, and the optimiser's step.
#pragma once

#include <stddef.h>

#include "isa.h"

// dz = dy where z > 0, else 0. dz may be dy.
void ck_relu_backward(ck_isa isa, const float *z, const float *dy, float *dz, size_t n);
// dz = dg · sigmoid(-z) · factor. dz may be dg.
void ck_log_sigmoid_backward(ck_isa isa, const float *z, const float *dg, float factor, float *dz,
                             size_t n);
// dgate = dy · up · silu'(gate), dup = dy · silu(gate). Each may be any of the inputs, but not the
// other.
void ck_swiglu_backward(ck_isa isa, const float *gate, const float *up, const float *dy,
                        float *dgate, float *dup, size_t n);
// With p = exp(teacher - teacher_max) and q = exp(student - student_max): student = q ·
// student_factor - p · teacher_factor. Returns the sum of p · ((teacher - teacher_max) - (student -
// student_max)) over p > 0, in double.
double ck_divergence_backward(ck_isa isa, float *student, const float *teacher, float student_max,
                              float teacher_max, float student_factor, float teacher_factor,
                              size_t n);
// sums += x.
void ck_add_to_doubles(ck_isa isa, const float *x, double *sums, size_t n);
// The sum of x² in double.
double ck_sum_squares(ck_isa isa, const float *x, size_t n);
// dx for one row of y = x / rms(x) · weight; adds dy · x / rms(x) to sums unless it is null. dx may
// be x or dy.
void ck_rms_norm_backward(ck_isa isa, const float *x, const float *weight, const float *dy,
                          float epsilon, float *dx, double *sums, size_t n);

// The constants of one step of Adam.
typedef struct {
  float gradient_factor;  // applied to the gradient first (clipping)
  float beta1, beta2;
  float rate;               // learning rate / (1 - beta1^step)
  float second_correction;  // 1 / (1 - beta2^step)
  float epsilon;
  float decay;  // learning rate · weight decay
} ck_adam_step;

// m = mix(g, m, beta1), v = mix(g², v, beta2),
// w -= rate · m / (sqrt(v · second_correction) + epsilon) + decay · (w - prior); prior may be null
// (zeros).
void ck_adam(ck_isa isa, const ck_adam_step *step, const float *gradient, const float *prior,
             float *m, float *v, float *w, size_t n);
