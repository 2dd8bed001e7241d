#define _GNU_SOURCE
#include "COpenBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

ob_features ob_detected(void) {
  ob_features f = {0, 0, 0};
#if defined(__x86_64__)
  __builtin_cpu_init();
  f.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
  f.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  f.amd = __builtin_cpu_is("amd") != 0;
#endif
  return f;
}

// Cooperlake adds nothing but bfloat16 products, which are not asked of OpenBLAS.
const char *ob_core(ob_features features) {
  if (features.avx512 && features.avx2) return "SkylakeX";
  if (features.avx2) return features.amd ? "Zen" : "Haswell";
  return NULL;
}

// What the user says stays. Not before main: a Swift runtime that is linked statically finds the
// program's arguments by where the environment lies, which the first change moves. Who reads the
// old one meanwhile reads what is still there.
static void choose(void) {
  const char *core = ob_core(ob_detected());
  if (core) setenv("OPENBLAS_CORETYPE", core, 0);
}

// Values of <cblas.h>.
enum { row_major = 101, column_major = 102, plain = 111, transposed = 112, lower = 122 };
enum { not_unit = 131, left = 141 };

static struct {
  void (*dtrsm)(int, int, int, int, int, int, int, double, const double *, int, double *, int);
  void (*dsymm)(int, int, int, int, int, double, const double *, int, const double *, int, double,
                double *, int);
  void (*dpotrf)(const char *, const int *, double *, const int *, int *, size_t);
  void (*set_num_threads)(int);
  char *(*get_corename)(void);
  char *(*get_config)(void);
} blas;

// There is nothing to compute with then, wherever the call came from.
static void give_up(void) {
  fprintf(stderr, "error: OpenBLAS cannot be loaded: %s (install libopenblas0)\n", dlerror());
  _exit(2);
}

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) give_up();
  return found;
}

static void load(void) {
  choose();
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) give_up();
  *(void **)&blas.dtrsm = symbol(library, "cblas_dtrsm");
  *(void **)&blas.dsymm = symbol(library, "cblas_dsymm");
  *(void **)&blas.dpotrf = symbol(library, "dpotrf_");
  *(void **)&blas.set_num_threads = symbol(library, "openblas_set_num_threads");
  *(void **)&blas.get_corename = symbol(library, "openblas_get_corename");
  *(void **)&blas.get_config = symbol(library, "openblas_get_config");
  // Our pieces are already spread over threads, and products of their size gain nothing from
  // OpenBLAS's own pool. Concurrent single-threaded calls are safe in its pthread build.
  blas.set_num_threads(1);
}

static void ready(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
}

const char *ob_core_in_use(void) {
  ready();
  return blas.get_corename();
}

const char *ob_config(void) {
  ready();
  return blas.get_config();
}

void ob_dtrsm(int32_t transpose, int32_t m, int32_t n, const double *a, int32_t a_stride, double *b,
              int32_t b_stride) {
  ready();
  blas.dtrsm(column_major, left, lower, transpose ? transposed : plain, not_unit, m, n, 1, a,
             a_stride, b, b_stride);
}

void ob_dsymm(int32_t m, int32_t n, const double *a, int32_t a_stride, const double *b,
              int32_t b_stride, double *c, int32_t c_stride) {
  ready();
  blas.dsymm(column_major, left, lower, m, n, 1, a, a_stride, b, b_stride, 0, c, c_stride);
}

int32_t ob_dpotrf(int32_t n, double *a, int32_t a_stride) {
  ready();
  // The last argument is the length of the text that Fortran passes unseen.
  int order = n, stride = a_stride, info = 0;
  blas.dpotrf("L", &order, a, &stride, &info, 1);
  return info;
}
