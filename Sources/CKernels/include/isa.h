// The instruction sets the kernels are written for.
#pragma once

#include <stdint.h>

// A ladder: each level has what those below it have. Every kernel that is compiled for several
// levels takes the one to use, which must not be above the detected one.
//
// Macros, not an enum: templates test them in #if, where an enum constant reads as 0.
#define CK_GENERIC 0      // what the compiler targets by default: SSE2, NEON
#define CK_AVX2 1         // AVX2, FMA, F16C
#define CK_AVX512 2       // AVX-512 F, BW, VL, DQ
#define CK_AVX512_VNNI 3  // dot products of bytes
#define CK_AVX512_BF16 4  // dot products of bfloat16
#define CK_AMX 5          // tiles of bfloat16
typedef int32_t ck_isa;

// The highest level this CPU has.
ck_isa ck_isa_detected(void);
// CPUs in this process's affinity mask.
int32_t ck_available_processors(void);
