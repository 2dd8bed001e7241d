#define _GNU_SOURCE
#include "linear.h"

#include <string.h>

#include "../support/compiler.h"
#include "../support/scratch.h"

// What the instructions do, as Intel describes them: for every sum the products of even values of
// k, then those of odd ones, pair by pair. Subnormal numbers count as zeros.
static _Thread_local uint32_t registers[8][256];

static float flushed(float x) { return __builtin_fabsf(x) < 0x1p-126f ? 0 : x; }

static float widened(uint32_t half) {
  const uint32_t bits = half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return flushed(x);
}

static void model_dot(uint32_t *sums, const uint32_t *a, const uint32_t *b) {
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 16; n++) {
      float sum;
      memcpy(&sum, &sums[m * 16 + n], sizeof sum);
      for (int p = 0; p < 16; p++) {
        const uint32_t x = a[m * 16 + p], y = b[p * 16 + n];
        sum = flushed(sum + widened(x & 0xffff) * widened(y & 0xffff));
        sum = flushed(sum + widened(x >> 16) * widened(y >> 16));
      }
      memcpy(&sums[m * 16 + n], &sum, sizeof sum);
    }
  }
}

#define CK_ISA CK_GENERIC
#define CK_SUFFIX model
#define tile_zero(t) memset(registers[t], 0, 1024)
#define tile_load(t, p) memcpy(registers[t], p, 1024)
#define tile_store(t, p) memcpy(p, registers[t], 1024)
#define tile_dot(c, a, b) model_dot(registers[c], registers[a], registers[b])
#include "../support/simd.h"
#include "../linear/transpose.h"
#include "../linear/amx_product_template.h"
#undef CK_ISA
#undef CK_SUFFIX
#undef tile_zero
#undef tile_load
#undef tile_store
#undef tile_dot

void ck_amx_model_product(ck_product p) { amx_product_model(p); }

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

CK_TARGET_BEGIN("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")
#define CK_ISA CK_AVX512
#define CK_SUFFIX amx
#define tile_zero(t) _tile_zero(t)
#define tile_load(t, p) _tile_loadd(t, p, 64)
#define tile_store(t, p) _tile_stored(t, p, 64)
#define tile_dot(c, a, b) _tile_dpbf16ps(c, a, b)
#include "../support/simd.h"
#include "../linear/transpose.h"
#include "../linear/amx_product_template.h"

void ck_amx_product(ck_product p) {
  // Eight tiles of 16 rows of 64 bytes.
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } __attribute__((packed, aligned(64))) shape = {.palette = 1};
  for (int t = 0; t < 8; t++) shape.bytes[t] = 64, shape.rows[t] = 16;
  // Some compilers believe that only the first bytes are read.
  __asm__ volatile("" ::"r"(&shape) : "memory");
  _tile_loadconfig(&shape);
  amx_product_amx(p);
  // Or the system would keep 8 KB more for this thread.
  _tile_release();
}
CK_TARGET_END

static int32_t has_amx;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void detect(void) {
  enum { bf16 = 1 << 22, tiles = 1 << 24, system_saves = 3 << 17, ask = 0x1023, tile_data = 18 };
  uint32_t a = 7, b, c = 0, d, low, high;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
    return;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if (!(d & bf16) || !(d & tiles)) return;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & system_saves) != system_saves) return;
  // The system gives the tiles to a process that asks.
  has_amx = syscall(SYS_arch_prctl, ask, tile_data) == 0;
}

int32_t ck_amx_available(void) {
  pthread_once(&once, detect);
  return has_amx;
}
#else
int32_t ck_amx_available(void) { return 0; }
void ck_amx_product(ck_product p) {
  (void)p;
  __builtin_trap();
}
#endif
