// The grids of block types that name points of one.
#pragma once

#include "../support/compiler.h"
#include "decode.h"

extern const uint64_t ck_grid_iq1_s[512], ck_grid_iq2_xxs[64], ck_grid_iq2_xs[128];
extern const uint64_t ck_grid_iq2_s[256], ck_grid_iq3_xxs[64], ck_grid_iq3_s[128];

// Point `index` of a grid: sixteen bits.
CK_INLINE uint32_t ck_grid_point(const uint64_t *grid, size_t index) {
  return (uint32_t)(grid[index / 4] >> (16 * (index % 4))) & 0xffff;
}
