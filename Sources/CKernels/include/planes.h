// 16- and 32-bit floats as byte planes, exponents first.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

// `planes` holds 2 or 4 planes of n bytes; `x` n elements, not necessarily aligned.
void ck_split_planes16(ck_isa isa, const uint8_t *x, uint8_t *planes, size_t n);
void ck_split_planes32(ck_isa isa, const uint8_t *x, uint8_t *planes, size_t n);
void ck_merge_planes16(ck_isa isa, const uint8_t *planes, uint8_t *x, size_t n);
void ck_merge_planes32(ck_isa isa, const uint8_t *planes, uint8_t *x, size_t n);
