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

// Signals: what must be said from inside a handler, where nothing but system calls may be used.

/// A mapped file that is being watched.
typedef struct cfs_mapping cfs_mapping;

/// From now on a page of [base, base + count) that its file no longer has ends the process: one
/// message that names `path`, exit code 2. NULL when there is no memory for it.
cfs_mapping *cfs_watch_mapping(const void *base, int64_t count, const char *path);

/// Ends that, before the range is unmapped.
void cfs_unwatch_mapping(cfs_mapping *mapping);

/// The path of the watched file that is mapped at `address`; NULL when there is none.
const char *cfs_mapped_path(const void *address);

/// What SIGINT and SIGTERM say on standard error before they end the process, as they would have
/// anyway; `text` stays valid for ever, NULL says nothing.
void cfs_say_when_interrupted(const char *text);

#endif
