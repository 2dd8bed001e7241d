// The Python files that exports carry, as bytes: code that lets transformers run a model
// (formats/spikingbrain/transformers), and code that goes on training one
// (formats/spikingbrain/training).
#pragma once

#include <stddef.h>

typedef struct {
  // Where it lies in an export.
  const char *name;
  const unsigned char *bytes;
  size_t count;
} cm_file;

// Which files belong together.
typedef enum {
  CM_TRANSFORMERS,
  // training/ with the Trainer of transformers.
  CM_TRAINER,
  // training/ with Megatron-core.
  CM_MEGATRON,
} cm_group;

// How many files of a group there are, and each of them.
size_t cm_file_count(cm_group group);
cm_file cm_file_at(cm_group group, size_t index);
