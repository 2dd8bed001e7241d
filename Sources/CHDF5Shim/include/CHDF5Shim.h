// Constants that HDF5 defines by macros, which Swift cannot import.
#pragma once

#include <hdf5.h>
#include <stdint.h>

static inline hid_t ch5_default(void) { return H5P_DEFAULT; }
static inline hid_t ch5_all(void) { return H5S_ALL; }
static inline hid_t ch5_float64(void) { return H5T_IEEE_F64LE; }
static inline hid_t ch5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t ch5_int64(void) { return H5T_STD_I64LE; }
static inline hid_t ch5_c_string(void) { return H5T_C_S1; }
static inline hid_t ch5_group_creation(void) { return H5P_GROUP_CREATE; }
static inline hid_t ch5_dataset_creation(void) { return H5P_DATASET_CREATE; }
static inline unsigned ch5_truncate(void) { return H5F_ACC_TRUNC; }

// The number under which zstd is registered with The HDF Group.
#define CH5_ZSTD 32015

// Makes the library know that filter; 0 when it cannot.
int ch5_register_zstd(void);
// Bytes that chunks read by this thread must have; others are refused.
void ch5_expect_chunk(size_t bytes);

enum {
  CH5_SOUND_CHUNKS,
  CH5_MISSING_CHUNKS,
  CH5_DAMAGED_CHUNKS,
  CH5_OTHER_FILTERS,
  CH5_UNREADABLE_CHUNKS
};
// Whether every chunk of a dataset of `sizes` was written and has as many bytes in the file as its
// filters leave of `bytes`: shuffle, deflate or zstd, fletcher32, in this order. Deflated chunks
// are expanded to know.
int ch5_check_chunks(hid_t set, hid_t properties, int rank, const uint64_t *sizes,
                     const uint64_t *chunk, size_t bytes);

// Makes the library silent, stops it from loading plugins and registers filters; 0 when that fails.
int ch5_prepare(void);
// Opens a file to be read; negative when that fails. Without a lock, which not every file system
// has and which a process started meanwhile may hold for a file that is written and closed.
hid_t ch5_open(const char *path);
// The innermost message of the current error stack, into `text`.
void ch5_reason(char *text, size_t capacity);

// What a link leads to its object by.
enum { CH5_HARD, CH5_SOFT, CH5_EXTERNAL, CH5_OTHER_LINK };
// Called with the name and the kind of each link; anything but 0 ends the iteration.
typedef int (*ch5_visit)(const char *name, int kind, void *context);
// Visits the links of a group in the order of their names; 0 when the group cannot be read.
int ch5_links(hid_t group, ch5_visit visit, void *context);

enum { CH5_NO_OBJECT, CH5_GROUP, CH5_DATASET, CH5_OTHER_OBJECT };
// What the hard link `name` leads to, and where it lies.
int ch5_object(hid_t group, const char *name, uint64_t *address);

// Element types, all little-endian; two bytes are uint16 or opaque.
enum {
  CH5_OTHER_ELEMENT,
  CH5_F64,
  CH5_F32,
  CH5_F16,
  CH5_I64,
  CH5_I32,
  CH5_I16,
  CH5_I8,
  CH5_U8,
  CH5_TWO_BYTES
};
int ch5_element(hid_t type);

// The text of an attribute: 1 when it is in `text`, 0 when there is none, -1 when it is no text of
// less than `capacity` bytes.
int ch5_text_attribute(hid_t object, const char *name, char *text, size_t capacity);

// What reading costs at most before more is allowed: seconds of processor time, bytes of memory.
#define CH5_SECONDS 3
#define CH5_MEMORY ((size_t)1 << 30)
// Gives up, for ever, what reading the file at `path` does not need: open descriptors but the first
// three, writing, programs, other files, networks (where the kernel has Landlock), time and memory.
void ch5_enter_cage(const char *path);
// Allows `seconds` and `bytes` more than these, from now on.
void ch5_allow(size_t seconds, size_t bytes);
