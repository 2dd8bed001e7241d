#include "CMPIShim.h"

#ifdef SPIKINGBRAIN_MPI

#include <mpi.h>
#include <stdlib.h>
#include <time.h>

// The most elements in one call: MPI counts in int, and pieces overlap in the two steps of a sum.
static const int64_t piece = 1 << 22;

static const long longest_pause = 1000000;  // ns

int cmpi_start(void) {
  int provided;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  return 0;
}

void cmpi_finish(void) { MPI_Finalize(); }

int cmpi_rank(void) {
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int cmpi_size(void) {
  int size;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

int64_t cmpi_maximum(int64_t value) {
  int64_t result;
  MPI_Request request;
  MPI_Iallreduce(&value, &result, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD, &request);
  int done = 0;
  // MPI's own waiting would take a processor from the process that is waited for.
  for (long pause = 1000;; pause = pause < longest_pause ? 2 * pause : longest_pause) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done) return result;
    struct timespec time = {0, pause};
    nanosleep(&time, NULL);
  }
}

void cmpi_broadcast(void *bytes, int64_t count, int root) {
  for (int64_t first = 0; first < count; first += piece) {
    int64_t rest = count - first;
    MPI_Bcast((char *)bytes + first, (int)(rest < piece ? rest : piece), MPI_BYTE, root,
              MPI_COMM_WORLD);
  }
}

// One process adds and the others copy: MPI_Allreduce need not give all the same bits.
static void sum(char *values, int64_t count, int64_t size, MPI_Datatype type) {
  int first_rank = cmpi_rank() == 0;
  for (int64_t first = 0; first < count; first += piece) {
    int64_t rest = count - first;
    int part = (int)(rest < piece ? rest : piece);
    char *start = values + first * size;
    MPI_Reduce(first_rank ? MPI_IN_PLACE : start, start, part, type, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Bcast(start, part, type, 0, MPI_COMM_WORLD);
  }
}

void cmpi_sum_doubles(double *values, int64_t count) {
  sum((char *)values, count, sizeof(double), MPI_DOUBLE);
}

void cmpi_sum_floats(float *values, int64_t count) {
  sum((char *)values, count, sizeof(float), MPI_FLOAT);
}

void cmpi_gather(const void *bytes, const int *counts, void *all) {
  int size = cmpi_size(), rank = cmpi_rank();
  int *starts = malloc(sizeof(int) * size);
  for (int i = 0, start = 0; i < size; start += counts[i++]) starts[i] = start;
  MPI_Gatherv(bytes, counts[rank], MPI_BYTE, all, counts, starts, MPI_BYTE, 0, MPI_COMM_WORLD);
  free(starts);
}

#else

int cmpi_start(void) { return -1; }
void cmpi_finish(void) {}
int cmpi_rank(void) { return 0; }
int cmpi_size(void) { return 1; }
int64_t cmpi_maximum(int64_t value) { return value; }
void cmpi_broadcast(void *bytes, int64_t count, int root) { (void)bytes, (void)count, (void)root; }
void cmpi_sum_doubles(double *values, int64_t count) { (void)values, (void)count; }
void cmpi_sum_floats(float *values, int64_t count) { (void)values, (void)count; }
void cmpi_gather(const void *bytes, const int *counts, void *all) {
  (void)bytes, (void)counts, (void)all;
}

#endif
