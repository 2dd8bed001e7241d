#include "CHDF5Shim.h"

#include <stdio.h>

void ch5_silence(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

struct reason {
  char *text;
  size_t capacity;
};

static herr_t keep(unsigned n, const H5E_error2_t *error, void *data) {
  (void)n;
  struct reason *reason = data;
  snprintf(reason->text, reason->capacity, "%s", error->desc ? error->desc : "");
  return 0;
}

void ch5_reason(char *text, size_t capacity) {
  struct reason reason = {text, capacity};
  if (capacity > 0) text[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep, &reason);
}
