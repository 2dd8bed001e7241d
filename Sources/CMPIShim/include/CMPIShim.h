#ifndef CMPISHIM_H
#define CMPISHIM_H

#include <stdint.h>

// What this program needs of MPI, for all processes of a run (MPI_COMM_WORLD). Everything but
// `cmpi_start` and `cmpi_finish` waits for all of them. Errors end the run, as MPI does by default.
// All functions are called by the thread that called `cmpi_start`.

/// Starts MPI. Returns 0, or -1 where this program was built without it.
int cmpi_start(void);

/// Ends MPI.
void cmpi_finish(void);

/// The number of this process, from 0.
int cmpi_rank(void);

/// The number of processes.
int cmpi_size(void);

/// The largest `value` of all processes. Waits without keeping a processor busy.
int64_t cmpi_maximum(int64_t value);

/// Gives all processes the bytes of process `root`.
void cmpi_broadcast(void *bytes, int64_t count, int root);

/// Gives all processes the sums of all processes' values, the same bits on each.
void cmpi_sum_doubles(double *values, int64_t count);

/// The same in float32.
void cmpi_sum_floats(float *values, int64_t count);

/// Gives process 0 the bytes of all, one after the other; `counts`, known to all, says how many
/// each has, and fewer than 2^31 in all. `all` is used by process 0 only.
void cmpi_gather(const void *bytes, const int *counts, void *all);

#endif
