// Compressions of chunks: the registered filter 32015, zstd frames that state their sizes, and deflate.
// The library's own deflate lets a chunk expand to any size, and would then be read past its end.
#include <hdf5.h>
#include <zlib.h>
#include <zstd.h>

#include "CHDF5Shim.h"

static _Thread_local size_t expected;

void ch5_expect_chunk(size_t bytes) { expected = bytes; }

static size_t fail(void *unused, const char *what, const char *reason) {
  // Freed first: calls of the library may clear the error stack.
  if (unused) H5free_memory(unused);
  H5Epush2(H5E_DEFAULT, __FILE__, "filter", __LINE__, H5E_ERR_CLS, H5E_PLINE, H5E_CANTFILTER,
           "a chunk %s: %s", what, reason);
  return 0;
}

// Puts `output` in the place of `buffer`.
static size_t replace(void **buffer, size_t *capacity, void *output, size_t size, size_t made) {
  H5free_memory(*buffer);
  *buffer = output;
  *capacity = size;
  return made;
}

static size_t zstd(unsigned flags, size_t count, const unsigned *values, size_t bytes,
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
  return replace(buffer, capacity, output, size, made);
}

static size_t deflated(unsigned flags, size_t count, const unsigned *values, size_t bytes,
                       size_t *capacity, void **buffer) {
  const int reading = (flags & H5Z_FLAG_REVERSE) != 0;
  const size_t size = reading ? expected : compressBound(bytes);
  void *output = H5allocate_memory(size > 0 ? size : 1, 0);
  if (!output) return fail(NULL, "does not fit", "out of memory");
  uLongf made = size;
  const int status =
      reading ? uncompress(output, &made, *buffer, bytes)
              : compress2(output, &made, *buffer, bytes,
                          count > 0 ? (int)values[0] : Z_DEFAULT_COMPRESSION);
  if (status != Z_OK) {
    return fail(output, reading ? "is damaged" : "was not compressed", zError(status));
  }
  if (reading && made != expected) {
    return fail(output, "is damaged", "it expands to another size");
  }
  return replace(buffer, capacity, output, size, made);
}

int ch5_register_filters(void) {
  static const H5Z_class2_t classes[] = {
      {H5Z_CLASS_T_VERS, CH5_ZSTD, 1, 1, "zstd", NULL, NULL, zstd},
      {H5Z_CLASS_T_VERS, H5Z_FILTER_DEFLATE, 1, 1, "deflate", NULL, NULL, deflated},
  };
  return H5Zregister(&classes[0]) >= 0 && H5Zregister(&classes[1]) >= 0;
}
