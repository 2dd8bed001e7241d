#define _GNU_SOURCE
#include "isa.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// -1 until first used.
static _Atomic int32_t selected = -1;

int32_t ck_isa_detected(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return CK_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c"))
    return CK_AVX2;
#endif
  return CK_GENERIC;
}

static int32_t lowest(int32_t a, int32_t b) { return a < b ? a : b; }

int32_t ck_isa(void) {
  int32_t isa = atomic_load_explicit(&selected, memory_order_relaxed);
  if (isa >= 0) return isa;
  isa = ck_isa_detected();
  const char *wish = getenv("SPIKINGBRAIN_ISA");
  if (wish && strcmp(wish, "generic") == 0) isa = CK_GENERIC;
  if (wish && strcmp(wish, "avx2") == 0) isa = lowest(isa, CK_AVX2);
  atomic_store_explicit(&selected, isa, memory_order_relaxed);
  return isa;
}

int32_t ck_isa_bf16(void) {
#if defined(__x86_64__)
  return ck_isa() == CK_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
  return 0;
#endif
}

void ck_isa_set(int32_t isa) {
  atomic_store_explicit(&selected, lowest(isa < 0 ? 0 : isa, ck_isa_detected()),
                        memory_order_relaxed);
}

int32_t ck_available_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
}
