// The registered HDF5 filter 32015: each chunk is one zstd frame that states its size.
#include <hdf5.h>
#include <zstd.h>

#include "CHDF5Shim.h"

static _Thread_local size_t expected;

void ch5_expect_chunk(size_t bytes) { expected = bytes; }

static size_t fail(void *unused, const char *what, const char *reason) {
  // Freed first: calls of the library may clear the error stack.
  if (unused) H5free_memory(unused);
  H5Epush2(H5E_DEFAULT, __FILE__, "zstd", __LINE__, H5E_ERR_CLS, H5E_PLINE, H5E_CANTFILTER,
           "a chunk %s: %s", what, reason);
  return 0;
}

static size_t filter(unsigned flags, size_t count, const unsigned *values, size_t bytes,
                     size_t *capacity, void **buffer) {
  const int reading = (flags & H5Z_FLAG_REVERSE) != 0;
  size_t size;
  if (reading) {
    // Compared with the data set, so that no frame decides how much memory is read or taken.
    const unsigned long long content = ZSTD_getFrameContentSize(*buffer, bytes);
    if (content != expected) return fail(NULL, "is damaged", "not a zstd frame of its size");
    size = expected;
  } else {
    size = ZSTD_compressBound(bytes);
  }
  void *output = H5allocate_memory(size, 0);
  if (!output) return fail(NULL, "does not fit", "out of memory");
  const size_t made = reading ? ZSTD_decompress(output, size, *buffer, bytes)
                              : ZSTD_compress(output, size, *buffer, bytes,
                                              count > 0 ? (int)values[0] : ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(made)) {
    return fail(output, reading ? "is damaged" : "was not compressed", ZSTD_getErrorName(made));
  }
  H5free_memory(*buffer);
  *buffer = output;
  *capacity = size;
  return made;
}

int ch5_register_zstd(void) {
  static const H5Z_class2_t zstd = {H5Z_CLASS_T_VERS, CH5_ZSTD, 1, 1, "zstd", NULL, NULL, filter};
  return H5Zregister(&zstd) >= 0;
}
