// Which instruction set the kernels use.
#pragma once

#include <stdint.h>

// Macros, not an enum: templates test them in #if, where an enum constant reads as 0.
#define CK_GENERIC 0
#define CK_AVX2 1
#define CK_AVX512 2

// The best set this CPU has.
int32_t ck_isa_detected(void);
// The set in use: the detected one, unless SPIKINGBRAIN_ISA or ck_isa_set says lower.
int32_t ck_isa(void);
// Whether bfloat16 dot products (AVX512-BF16) may be used: the CPU has them, and the set in use is
// CK_AVX512.
int32_t ck_isa_bf16(void);
// Selects a set; one the CPU lacks selects the best it has.
void ck_isa_set(int32_t isa);
// CPUs in this process's affinity mask.
int32_t ck_available_processors(void);
