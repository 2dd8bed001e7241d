#include "training.h"

#define CK_TEMPLATE "../training/training_template.h"
#include "../support/variants.h"

void ck_relu_backward(ck_isa isa, const float *z, const float *dy, float *dz, size_t n) {
  CK_DISPATCH(relu_backward, z, dy, dz, n);
}

void ck_log_sigmoid_backward(ck_isa isa, const float *z, const float *dg, float factor, float *dz,
                             size_t n) {
  CK_DISPATCH(log_sigmoid_backward, z, dg, factor, dz, n);
}

void ck_swiglu_backward(ck_isa isa, const float *gate, const float *up, const float *dy,
                        float *dgate, float *dup, size_t n) {
  CK_DISPATCH(swiglu_backward, gate, up, dy, dgate, dup, n);
}

double ck_divergence_backward(ck_isa isa, float *student, const float *teacher, float student_max,
                              float teacher_max, float student_factor, float teacher_factor,
                              size_t n) {
  CK_DISPATCH(divergence_backward, student, teacher, student_max, teacher_max, student_factor,
              teacher_factor, n);
}

void ck_add_to_doubles(ck_isa isa, const float *x, double *sums, size_t n) {
  CK_DISPATCH(add_to_doubles, x, sums, n);
}

double ck_sum_squares(ck_isa isa, const float *x, size_t n) { CK_DISPATCH(sum_squares, x, n); }

void ck_rms_norm_backward(ck_isa isa, const float *x, const float *weight, const float *dy,
                          float epsilon, float *dx, double *sums, size_t n) {
  CK_DISPATCH(rms_norm_backward, x, weight, dy, epsilon, dx, sums, n);
}

void ck_adam(ck_isa isa, const ck_adam_step *step, const float *gradient, const float *prior,
             float *m, float *v, float *w, size_t n) {
  CK_DISPATCH(adam, step, gradient, prior, m, v, w, n);
}
