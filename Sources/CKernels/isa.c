#define _GNU_SOURCE
#include "isa.h"

#include "linear.h"

#include <sched.h>
#include <unistd.h>

ck_isa ck_isa_detected(void) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("f16c"))
    return CK_GENERIC;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
    return CK_AVX2;
  if (!__builtin_cpu_supports("avx512vnni")) return CK_AVX512;
  if (!__builtin_cpu_supports("avx512bf16")) return CK_AVX512_VNNI;
  return ck_amx_available() ? CK_AMX : CK_AVX512_BF16;
#else
  return CK_GENERIC;
#endif
}

int32_t ck_available_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
}
