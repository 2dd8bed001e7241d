#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define pause_briefly() _mm_pause()
#elif defined(__aarch64__)
#define pause_briefly() __asm__ volatile("yield")
#else
#define pause_briefly() ((void)0)
#endif

enum { MOST_THREADS = 256 };

// How long a thread without work stays awake, in nanoseconds: longer than what lies between two
// products of a layer, shorter than anybody notices.
enum { AWAKE = 50000 };

// What is being done. Fields that are not atomic are written before `open` and read after it.
static struct {
  ck_work work;
  void *context;
  size_t count;
  int places;
  // The next index, and how many threads asked for a place.
  atomic_size_t next;
  atomic_int asked;
  // Whether threads may join; how many are inside or looking.
  atomic_int open, inside;
} job;

// Counts jobs; sleepers wait for it to change.
static atomic_uint generation;
static atomic_int sleepers;
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

// Held by the call that uses the threads.
static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;
static size_t started;

static uint64_t nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void take_all(void) {
  for (;;) {
    size_t index = atomic_fetch_add_explicit(&job.next, 1, memory_order_relaxed);
    if (index >= job.count) return;
    job.work(job.context, index);
  }
}

// Takes part in the job if there is one. A thread counts itself in before it looks, and the owner
// closes before it counts: one of the two sees the other.
static void join(void) {
  atomic_fetch_add(&job.inside, 1);
  if (atomic_load(&job.open) && atomic_fetch_add(&job.asked, 1) < job.places) take_all();
  atomic_fetch_sub(&job.inside, 1);
}

// Returns when the generation is no longer `seen`.
static unsigned wait_for_change(unsigned seen) {
  unsigned now = seen;
  const uint64_t end = nanoseconds() + AWAKE;
  do {
    for (int i = 0; i < 64; i++) {
      now = atomic_load_explicit(&generation, memory_order_acquire);
      if (now != seen) return now;
      pause_briefly();
    }
  } while (nanoseconds() < end);
  pthread_mutex_lock(&sleep_lock);
  atomic_fetch_add(&sleepers, 1);
  while ((now = atomic_load(&generation)) == seen) pthread_cond_wait(&wake, &sleep_lock);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&sleep_lock);
  return now;
}

static void *worker(void *first) {
  unsigned seen = (unsigned)(uintptr_t)first;
  for (;;) {
    seen = wait_for_change(seen);
    join();
  }
  return NULL;
}

// Starts threads until there are `wanted`, or as many as the system gives.
static void start(size_t wanted) {
  while (started < wanted) {
    pthread_t thread;
    void *seen = (void *)(uintptr_t)atomic_load(&generation);
    if (pthread_create(&thread, NULL, worker, seen) != 0) return;
    pthread_detach(thread);
    started++;
  }
}

void ck_run(size_t threads, size_t count, ck_work work, void *context) {
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  if (threads > count) threads = count;
  if (threads < 2 || pthread_mutex_trylock(&owner) != 0) {
    for (size_t index = 0; index < count; index++) work(context, index);
    return;
  }
  start(threads - 1);
  job.work = work;
  job.context = context;
  job.count = count;
  job.places = (int)threads - 1;
  atomic_store(&job.next, 0);
  atomic_store(&job.asked, 0);
  atomic_store(&job.open, 1);
  atomic_fetch_add(&generation, 1);
  if (atomic_load(&sleepers) > 0) {
    pthread_mutex_lock(&sleep_lock);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&sleep_lock);
  }
  take_all();
  atomic_store(&job.open, 0);
  // The others are at their last pieces; on a busy machine one may have lost its processor.
  for (unsigned i = 0; atomic_load(&job.inside) > 0; i++) {
    if (i < 20000) {
      pause_briefly();
    } else {
      const struct timespec moment = {0, 50000};
      nanosleep(&moment, NULL);
    }
  }
  pthread_mutex_unlock(&owner);
}
