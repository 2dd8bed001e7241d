#ifndef CFILESYSTEM_H
#define CFILESYSTEM_H

#include <stdint.h>

// Linux calls that Swift's Glibc module does not export, because glibc hides them behind
// _GNU_SOURCE. All return 0, or -1 with errno set.

/// Renames `from` to `to`, failing with EEXIST when `to` exists.
int cfs_rename_new(const char *from, const char *to);

/// Exchanges two existing paths in one atomic step.
int cfs_rename_exchange(const char *from, const char *to);

/// Starts writing back the dirty pages of a range without waiting.
int cfs_start_write_back(int fd, int64_t offset, int64_t count);

/// Waits until the dirty pages of a range are written back.
int cfs_finish_write_back(int fd, int64_t offset, int64_t count);

/// Removes a file or a directory tree; does not follow symbolic links or leave the file system.
int cfs_remove_tree(const char *path);

#endif
