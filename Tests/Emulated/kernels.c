// Runs kernels on the same numbers on every processor and writes what they give, to compare an
// emulated processor with this one:
//
//   kernels LEVEL > results        at an instruction set, see isa.h; -1 for the highest
//   kernels compare A B            fails where results differ by more than rounding
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static ck_isa isa;
static uint64_t seed = 1;

static int32_t next(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (int32_t)(seed >> 32);
}

// Uniform in -1...1, the same everywhere.
static float uniform(void) { return (float)next() / 2147483648.0f; }

static float *floats(size_t n) {
  float *x = malloc(n * sizeof *x + 64);
  for (size_t i = 0; i < n; i++) x[i] = uniform();
  return x;
}

static uint8_t *bytes(size_t n) {
  uint8_t *x = malloc(n + 64);
  for (size_t i = 0; i < n; i++) x[i] = (uint8_t)(next() >> 24);
  return x;
}

static void result(const char *name, const float *x, size_t n) {
  printf("%s %zu", name, n);
  for (size_t i = 0; i < n; i++) printf(" %.9g", (double)x[i]);
  putchar('\n');
}

static void integers(const char *name, const void *x, size_t n) {
  printf("=%s %zu", name, n);
  for (size_t i = 0; i < n; i++) printf(" %d", ((const uint8_t *)x)[i]);
  putchar('\n');
}

enum { ROWS = 23, COLUMNS = 512, TOKENS = 5 };

// Bytes of a block of each type.
static const size_t sizes[] = {4, 8, 2, 2, 34, 18, 20, 22, 24, 144, 176, 210};

static size_t elements(int32_t type) { return type >= CK_Q4_K ? 256 : type >= CK_Q8_0 ? 32 : 1; }

// Blocks whose float16 factors are small numbers.
static uint8_t *blocks(int32_t type, size_t count) {
  const size_t size = sizes[type], per = elements(type);
  uint8_t *x = bytes(count / per * size);
  for (size_t i = 0; i < count / per; i++) {
    uint8_t *b = x + i * size;
    if (type == CK_F16 || (type >= CK_Q8_0 && type < CK_Q6_K)) b[1] = 0x2c + (b[1] & 3);
    if (type == CK_Q4_1 || type == CK_Q5_1 || type == CK_Q4_K || type == CK_Q5_K)
      b[3] = 0xac + (b[3] & 3);
    if (type == CK_Q6_K) b[209] = 0x2c + (b[209] & 3);
    if (type == CK_BF16) b[1] = 0x3c + (b[1] & 3);
    if (type == CK_F32) b[3] = 0x3c + (b[3] & 3);
    if (type == CK_F64) b[7] = 0x3f, b[6] = 0xa0 | (b[6] & 15);
  }
  return x;
}

static void decoding(void) {
  for (int32_t type = CK_F32; type <= CK_Q6_K; type++) {
    char name[32];
    snprintf(name, sizeof name, "decode-%d", type);
    float *y = floats(512);
    ck_decode(isa, type, blocks(type, 512), y, 512);
    result(name, y, 512);
  }
}

static void products(void) {
  static const int32_t types[] = {CK_F32,  CK_BF16, CK_F16,  CK_Q8_0, CK_Q4_0, CK_Q4_1,
                                  CK_Q5_0, CK_Q5_1, CK_Q4_K, CK_Q5_K, CK_Q6_K};
  const size_t prepared = ck_prepared_count(COLUMNS);
  float *x = floats(TOKENS * COLUMNS), *bias = floats(ROWS), *y = floats(TOKENS * ROWS);
  float *p = floats(TOKENS * prepared);
  const ck_rows rows = {p, prepared, TOKENS};
  const ck_output output = {y, ROWS};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    const int32_t type = types[i];
    for (size_t t = 0; t < TOKENS; t++)
      ck_prepare(type, x + t * COLUMNS, p + t * prepared, COLUMNS);
    const size_t stride = COLUMNS / elements(type) * sizes[type];
    const ck_stored_rows w = {type, blocks(type, ROWS * COLUMNS), (ptrdiff_t)stride, ROWS, COLUMNS};
    ck_dot_rows(isa, w, rows, bias, output);
    char name[32];
    snprintf(name, sizeof name, "dot-%d", type);
    result(name, y, TOKENS * ROWS);
    // Which is what decoded rows give.
    float row[COLUMNS];
    for (size_t r = 0; r < ROWS; r++) {
      ck_decode(isa, type, (const uint8_t *)w.rows + r * stride, row, COLUMNS);
      for (size_t t = 0; t < TOKENS; t++) {
        double sum = bias[r];
        for (size_t c = 0; c < COLUMNS; c++) sum += (double)row[c] * x[t * COLUMNS + c];
        if (fabs(sum - y[t * ROWS + r]) > 1e-4 * (1 + fabs(sum))) abort();
      }
    }
  }
  float *scales = floats(ROWS * COLUMNS / 32);
  for (size_t t = 0; t < TOKENS; t++)
    ck_prepare(CK_INT4, x + t * COLUMNS, p + t * prepared, COLUMNS);
  ck_int4_dots(isa, (ck_int4_matrix){bytes(ROWS * COLUMNS / 2), scales, ROWS, COLUMNS, 32}, rows,
               bias, output);
  result("int4-dots", y, TOKENS * ROWS);
  int8_t *codes = (int8_t *)bytes(ROWS * COLUMNS);
  const ck_int8_matrix w = {codes, scales, ROWS, COLUMNS, 32};
  ck_int8_dots(isa, w, (ck_rows){x, COLUMNS, TOKENS}, bias, output);
  result("int8-dots", y, TOKENS * ROWS);

  int32_t counts[COLUMNS], offsets[COLUMNS / 32];
  int8_t digits[COLUMNS];
  for (size_t c = 0; c < COLUMNS; c++) counts[c] = next() % 100;
  ck_split_counts(counts, COLUMNS, sizeof digits, 32, 0, digits, offsets);
  ck_int8_count_dots(isa, w, (ck_digits){digits, sizeof digits, 1, offsets}, output);
  result("count-dots", y, ROWS);

  for (int depth = 0; depth < 2; depth++)
    for (int adding = 0; adding < 2; adding++) {
      float *a = floats(37 * 300), *b = floats(300 * 53), *c = floats(37 * 53);
      const ck_product product = {{1, a, 300}, {depth, b, depth ? 300 : 53}, 37, 53, 300, adding, c,
                                  53};
      ck_f32_product(isa, product);
      result("f32-product", c, 37 * 53);
      ck_amx_model_product(product);
      result("amx-model", c, 37 * 53);
    }
}

static void rounding(void) {
  const ck_code_range range = {-8, 7};
  float *w = floats(131), sums[3];
  int8_t codes[131];
  ck_round_codes(isa, w, 131, 0.1f, range, codes);
  integers("round-codes", codes, 131);
  ck_code_residual(isa, w, 0, 131, 0.1f, range, sums);
  result("code-residual", sums, 3);
  uint16_t halves[131];
  ck_to_bf16(isa, w, halves, 131);
  integers("to-bf16", halves, 262);
  ck_to_f16(isa, w, halves, 131);
  integers("to-f16", halves, 262);
  int32_t counts[131];
  ck_spike_counts(isa, w, 0.037f, counts, 131);
  integers("spike-counts", counts, sizeof counts);
  uint8_t planes[4 * 131];
  ck_split_planes32(isa, (uint8_t *)w, planes, 131);
  integers("planes", planes, sizeof planes);
}

static void elementwise(void) {
  enum { N = 141 };
  float *x = floats(N), *z = floats(N), *y = floats(N);
  ck_swiglu(isa, x, z, y, N);
  result("swiglu", y, N);
  ck_rms_norm(isa, x, z, 1e-5f, y, N);
  result("rms-norm", y, N);
  ck_exp(isa, x, y, N);
  result("exp", y, N);
  memcpy(y, x, N * sizeof *y);
  ck_log_sigmoid(isa, y, 0.0625f, N);
  result("log-sigmoid", y, N);
  memcpy(y, x, N * sizeof *y);
  ck_rotate_half(isa, y, z, z + 70, 70);
  result("rotate", y, 140);
  double *sums = calloc(N, sizeof *sums);
  ck_rms_norm_backward(isa, x, z, y, 1e-5f, x, sums, N);
  result("rms-norm-backward", x, N);
  float total[2] = {(float)ck_sum_exp(isa, z, 1, N), (float)ck_sum_magnitude(isa, z, N)};
  result("sums", total, 2);
}

static void mixing(void) {
  enum { D = 48, T = 70, GROUP = 3 };
  float *q = floats(T * GROUP * D), *k = floats(T * D), *v = floats(T * D), *g = floats(T * D);
  for (size_t i = 0; i < T * D; i++) g[i] = -fabsf(g[i]);
  float *state = floats(D * D), *o = floats(T * GROUP * D), *scratch = floats(CK_GLA_CHUNK * D);
  ck_gla_recurrent(isa, (ck_gla_run){T, GROUP, D, D, 0.14f, 0, q, GROUP * D, k, D,
                                     v, D,     g, D, state, D, o, GROUP * D, D, scratch});
  result("gla", o, T * GROUP * D);
  result("gla-state", state, D * D);
  float maximum[GROUP] = {-INFINITY, -INFINITY, -INFINITY}, sum[GROUP] = {0};
  float *output = calloc(GROUP * D, sizeof *output);
  float *scores = floats(GROUP * CK_ATTEND_TILE);
  ck_attend(isa, (ck_attention){q, GROUP, D, {k, D, T}, {v, D, T}},
            (ck_softmax_state){maximum, sum, output, D, D}, scores);
  result("attend", output, GROUP * D);
  result("attend-sum", sum, GROUP);
}

static int compare(const char *left, const char *right) {
  FILE *a = fopen(left, "r"), *b = fopen(right, "r");
  char name[64], other[64];
  size_t n, m, kernels = 0;
  int failed = !a || !b;
  while (!failed && fscanf(a, "%63s %zu", name, &n) == 2) {
    if (fscanf(b, "%63s %zu", other, &m) != 2 || strcmp(name, other) || n != m) failed = 1;
    double largest = 0, worst = 0;
    for (size_t i = 0; i < n && !failed; i++) {
      double x, y;
      if (fscanf(a, "%lf", &x) != 1 || fscanf(b, "%lf", &y) != 1) failed = 1;
      largest = fmax(largest, fabs(x));
      worst = fmax(worst, fabs(x - y));
      if (!isfinite(x) || !isfinite(y)) failed = 1;
    }
    if (name[0] == '=' ? worst > 0 : worst > 3e-6 * largest) failed = 1;
    if (failed) printf("%s: %g of %g\n", name, worst, largest);
    kernels++;
  }
  if (!failed) printf("%zu results agree\n", kernels);
  return failed || kernels < 20;
}

int main(int count, char **arguments) {
  if (count == 4) return compare(arguments[2], arguments[3]);
  isa = count > 1 && atoi(arguments[1]) >= 0 ? atoi(arguments[1]) : ck_isa_detected();
  decoding();
  products();
  rounding();
  elementwise();
  mixing();
  return 0;
}
