// float32 to 16-bit floats, nearest even.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

void ck_to_bf16(ck_isa isa, const float *source, void *output, size_t count);
void ck_to_f16(ck_isa isa, const float *source, void *output, size_t count);
