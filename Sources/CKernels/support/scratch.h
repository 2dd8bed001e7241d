// Memory that a thread uses again and again.
#pragma once

#include <stddef.h>

// At least `bytes` bytes of this thread, aligned to 64, until the next call of it; freed when the
// thread ends. A product would otherwise map and clear its panels anew each time.
void *ck_scratch(size_t bytes);
