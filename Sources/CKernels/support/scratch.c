#include "scratch.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void make_key(void) {
  if (pthread_key_create(&key, free) != 0) abort();
}

static _Thread_local struct {
  void *start;
  size_t bytes;
} kept;

void *ck_scratch(size_t bytes) {
  if (kept.bytes >= bytes) return kept.start;
  pthread_once(&once, make_key);
  free(kept.start);
  kept.bytes = (bytes + 63) / 64 * 64;
  kept.start = aligned_alloc(64, kept.bytes);
  if (!kept.start || pthread_setspecific(key, kept.start) != 0) abort();
  return kept.start;
}
