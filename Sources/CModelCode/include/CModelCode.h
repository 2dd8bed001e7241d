// The Python files that an export carries so that transformers can run it, as bytes:
// formats/spikingbrain/transformers.
#pragma once

#include <stddef.h>

typedef struct {
  const char *name;
  const unsigned char *bytes;
  size_t count;
} cm_file;

// How many files there are, and each of them.
size_t cm_file_count(void);
cm_file cm_file_at(size_t index);
