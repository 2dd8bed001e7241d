// Compiles the template CK_TEMPLATE once per instruction set. The template names its functions
// ck(name); callers choose by `isa` with CK_DISPATCH(name, arguments).
//
// One source serves all sets because it is written with the compiler's vector types: 16 lanes are
// one AVX-512 register, two AVX2 ones or four of SSE2 or NEON.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "isa.h"

#if defined(__x86_64__)
#include <immintrin.h>

CK_TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")
#define CK_ISA CK_AVX512
#define CK_SUFFIX avx512
#include "simd.h"
#include CK_TEMPLATE
#undef CK_ISA
#undef CK_SUFFIX
CK_TARGET_END

CK_TARGET_BEGIN("avx2,fma,f16c")
#define CK_ISA CK_AVX2
#define CK_SUFFIX avx2
#include "simd.h"
#include CK_TEMPLATE
#undef CK_ISA
#undef CK_SUFFIX
CK_TARGET_END

#define CK_DISPATCH(name, ...)                                        \
  do {                                                                \
    if (isa >= CK_AVX512) return CK_PASTE(name, avx512)(__VA_ARGS__); \
    if (isa == CK_AVX2) return CK_PASTE(name, avx2)(__VA_ARGS__);     \
    return CK_PASTE(name, generic)(__VA_ARGS__);                      \
  } while (0)
#else
#define CK_DISPATCH(name, ...) return (void)isa, CK_PASTE(name, generic)(__VA_ARGS__)
#endif

#define CK_ISA CK_GENERIC
#define CK_SUFFIX generic
#include "simd.h"
#include CK_TEMPLATE
#undef CK_ISA
#undef CK_SUFFIX
