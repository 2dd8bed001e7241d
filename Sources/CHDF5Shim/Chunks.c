// What the library does not check of chunks, and reads beyond their buffers for.
#include <hdf5.h>
#include <string.h>

#include "CHDF5Shim.h"

// The places of filters among those of a dataset; -1 for none.
struct pipeline {
  int compression, checksum;
};

// Whether the filters are shuffle, one compression and a checksum, each at most once in this order.
static int parse(hid_t properties, struct pipeline *pipeline) {
  const int count = H5Pget_nfilters(properties);
  int stage = 0;
  pipeline->compression = pipeline->checksum = -1;
  for (int i = 0; i < count; i++) {
    unsigned flags, configuration;
    size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &configuration);
    const int at = filter == H5Z_FILTER_SHUFFLE                             ? 1
                   : filter == H5Z_FILTER_DEFLATE || filter == CH5_ZSTD     ? 2
                   : filter == H5Z_FILTER_FLETCHER32                        ? 3
                                                                            : 0;
    if (at <= stage) return 0;
    stage = at;
    if (at == 2) pipeline->compression = i;
    if (at == 3) pipeline->checksum = i;
  }
  return count >= 0;
}

int ch5_check_chunks(hid_t set, hid_t properties, int rank, const uint64_t *sizes,
                     const uint64_t *chunk, size_t bytes) {
  struct pipeline pipeline;
  if (!parse(properties, &pipeline)) return CH5_OTHER_FILTERS;
  hsize_t place[32] = {0};
  if (rank < 1 || rank > 32) return CH5_UNREADABLE_CHUNKS;
  for (;;) {
    unsigned skipped = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t stored = 0;
    if (H5Dget_chunk_info_by_coord(set, place, &skipped, &address, &stored) < 0) {
      return CH5_UNREADABLE_CHUNKS;
    }
    if (address == HADDR_UNDEF) return CH5_MISSING_CHUNKS;
    const int compressed = pipeline.compression >= 0 && !(skipped >> pipeline.compression & 1);
    const size_t checksum = pipeline.checksum >= 0 && !(skipped >> pipeline.checksum & 1) ? 4 : 0;
    if (compressed ? stored <= checksum || stored > 2 * bytes + 65536 : stored != bytes + checksum) {
      return CH5_DAMAGED_CHUNKS;
    }
    int axis = rank - 1;
    while (axis >= 0 && (place[axis] += chunk[axis]) >= sizes[axis]) place[axis--] = 0;
    if (axis < 0) return CH5_SOUND_CHUNKS;
  }
}
