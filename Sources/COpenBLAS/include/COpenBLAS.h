// The few functions of OpenBLAS that are used.
//
// The library is loaded when one of them is first called, not with the program: it chooses its
// kernels while it is loaded, by a list of processor models that ends where its release did, and
// what is younger gets the slowest (0.3.21 takes 4th and 5th generation Xeons for a Prescott, which
// costs 4/5 of the speed). Its documented way to tell it otherwise is OPENBLAS_CORETYPE, which must
// be set before.
#pragma once

#include <stddef.h>
#include <stdint.h>

// What the choice of kernels depends on: what the processor has and the system saves.
typedef struct {
  // F, CD, BW, DQ and VL, all of them.
  int32_t avx512;
  // AVX2 and FMA.
  int32_t avx2;
  // Made by AMD.
  int32_t amd;
} ob_features;

// This processor's features.
ob_features ob_detected(void);
// The core, in OpenBLAS's words, whose kernels suit `features`; null to leave it to OpenBLAS.
const char *ob_core(ob_features features);

// The core whose kernels are in use.
const char *ob_core_in_use(void);
// Version and build options of the library; holds DYNAMIC_ARCH when there is more than one core.
const char *ob_config(void);

// The three of Cholesky's solutions, in float64, column-major, lower triangle.
//
// B = op(A)⁻¹ B for triangular A [m, m], B [m, n].
void ob_dtrsm(int32_t transpose, int32_t m, int32_t n, const double *a, int32_t a_stride, double *b,
              int32_t b_stride);
// C = A B for symmetric A [m, m], B [m, n].
void ob_dsymm(int32_t m, int32_t n, const double *a, int32_t a_stride, const double *b,
              int32_t b_stride, double *c, int32_t c_stride);
// Factors A [n, n] in place. Returns the order of the first leading minor that is not positive; 0
// for success.
int32_t ob_dpotrf(int32_t n, double *a, int32_t a_stride);
