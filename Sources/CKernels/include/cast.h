// float32 to 16-bit floats, nearest even.
#pragma once

#include <stddef.h>
#include <stdint.h>

void ck_to_bf16(const float *source, void *output, size_t count);
void ck_to_f16(const float *source, void *output, size_t count);
