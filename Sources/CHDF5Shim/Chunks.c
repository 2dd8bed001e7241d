// What the library does not check of chunks, and reads beyond their buffers for.
#include <hdf5.h>
#include <string.h>
#include <zlib.h>

#include "CHDF5Shim.h"

// The places of filters among those of a dataset; -1 for none.
struct pipeline {
  int compression, checksum, is_deflate;
};

// Whether the filters are shuffle, one compression and a checksum, each at most once in this order.
static int parse(hid_t properties, struct pipeline *pipeline) {
  const int count = H5Pget_nfilters(properties);
  int stage = 0;
  pipeline->compression = pipeline->checksum = -1;
  pipeline->is_deflate = 0;
  for (int i = 0; i < count; i++) {
    unsigned flags, configuration;
    size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &configuration);
    const int at = filter == H5Z_FILTER_SHUFFLE                         ? 1
                   : filter == H5Z_FILTER_DEFLATE || filter == CH5_ZSTD ? 2
                   : filter == H5Z_FILTER_FLETCHER32                    ? 3
                                                                        : 0;
    if (at <= stage) return 0;
    stage = at;
    if (at == 2) pipeline->compression = i;
    if (filter == H5Z_FILTER_DEFLATE) pipeline->is_deflate = 1;
    if (at == 3) pipeline->checksum = i;
  }
  return count >= 0;
}

// Whether a deflated chunk of `stored` bytes in the file expands to `bytes`: the library takes what
// comes, and reads beyond it. Other damage is left to the library to name.
static int expands(hid_t set, const hsize_t *place, hsize_t stored, size_t checksum, size_t bytes) {
  unsigned char *deflated = H5allocate_memory(stored, 0);
  unsigned char *expanded = H5allocate_memory(bytes, 0);
  uint32_t skipped = 0;
  uLongf made = bytes;
  int status = Z_MEM_ERROR;
  if (deflated && expanded && H5Dread_chunk(set, H5P_DEFAULT, place, &skipped, deflated) >= 0) {
    status = uncompress(expanded, &made, deflated, stored - checksum);
  }
  if (deflated) H5free_memory(deflated);
  if (expanded) H5free_memory(expanded);
  return status == Z_OK ? made == bytes : status == Z_DATA_ERROR;
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
    if (compressed ? stored <= checksum || stored > 2 * bytes + 65536
                   : stored != bytes + checksum) {
      return CH5_DAMAGED_CHUNKS;
    }
    if (compressed && pipeline.is_deflate && !expands(set, place, stored, checksum, bytes)) {
      return CH5_DAMAGED_CHUNKS;
    }
    int axis = rank - 1;
    while (axis >= 0 && (place[axis] += chunk[axis]) >= sizes[axis]) place[axis--] = 0;
    if (axis < 0) return CH5_SOUND_CHUNKS;
  }
}
