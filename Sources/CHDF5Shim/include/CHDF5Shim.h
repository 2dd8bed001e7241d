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
static inline unsigned ch5_read_only(void) { return H5F_ACC_RDONLY; }

// The number under which zstd is registered with The HDF Group.
#define CH5_ZSTD 32015

// Makes the library know that filter; 0 when it cannot.
int ch5_register_zstd(void);
// Bytes that chunks read by this thread must have; others are refused.
void ch5_expect_chunk(size_t bytes);

// The library prints its error stack to standard error unless it is told not to.
void ch5_silence(void);
// The innermost message of the current error stack, into `text`.
void ch5_reason(char *text, size_t capacity);
