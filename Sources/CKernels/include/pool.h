// Threads that wait for work.
#pragma once

#include <stddef.h>
#include <stdint.h>

// One piece of work.
typedef void (*ck_work)(void *context, size_t index);

// Calls work(context, index) for every index below `count`, on the calling thread and at most
// `threads` - 1 others, which take indices one by one; returns when all are done.
//
// Handing over costs about a microsecond while the others are still awake from the last call, which
// they stay for some tens of microseconds; then they sleep, and waking them costs what the system
// takes. One call at a time uses them: another that comes meanwhile, from inside `work` or from
// another thread, runs on its own thread alone.
void ck_run(size_t threads, size_t count, ck_work work, void *context);
