// Rows of numbers in memory, as several kernels take them.
#pragma once

#include <stddef.h>

// `count` rows to read, `stride` floats from row to row.
typedef struct {
  const float *values;
  size_t stride, count;
} ck_rows;

// Rows to write, `stride` floats from row to row.
typedef struct {
  float *values;
  size_t stride;
} ck_output;
