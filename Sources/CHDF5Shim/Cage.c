// What a process gives up before it reads a file of unknown origin with libhdf5.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "CHDF5Shim.h"

// Landlock's interface (Linux 5.13; include/uapi/linux/landlock.h), which older headers lack.
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

struct ruleset {
  uint64_t files, network, scopes;
};
struct __attribute__((packed)) below {
  uint64_t rights;
  int32_t file;
};
enum { READ_FILE = 1 << 2, ASK_VERSION = 1, BELOW_PATH = 1 };

// Takes away every right that this kernel knows, but that to read the file `file`.
static void landlock(int file) {
  const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
  if (version < 1) return;
  // Each version knows one more right of files; networks came with 4, signals with 6.
  const int rights = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
  const struct ruleset rules = {.files = (1u << rights) - 1, .network = 3, .scopes = 3};
  const size_t bytes = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const int set = (int)syscall(SYS_landlock_create_ruleset, &rules, bytes, 0);
  if (set < 0) return;
  const struct below below = {.rights = READ_FILE, .file = file};
  if (file < 0 || syscall(SYS_landlock_add_rule, set, BELOW_PATH, &below, 0) == 0) {
    syscall(SYS_landlock_restrict_self, set, 0);
  }
  close(set);
}

// Lowers a limit; a process may raise it again no further than it was.
static void limit(int resource, rlim_t value) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) return;
  now.rlim_cur = value < now.rlim_max ? value : now.rlim_max;
  setrlimit(resource, &now);
}

static size_t memory_at_start;

void ch5_enter_cage(const char *path) {
  // Whatever the parent process left open.
  syscall(SYS_close_range, 3u, ~0u, 0);
  FILE *sizes = fopen("/proc/self/statm", "re");
  size_t pages = 0;
  if (sizes) {
    if (fscanf(sizes, "%zu", &pages) != 1) pages = 0;
    fclose(sizes);
  }
  memory_at_start = pages * (size_t)sysconf(_SC_PAGESIZE);
  // The signal of the time limit ends the process, whatever its parent does with it.
  sigset_t signals;
  sigemptyset(&signals);
  sigprocmask(SIG_SETMASK, &signals, NULL);
  signal(SIGXCPU, SIG_DFL);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_FSIZE, &none);
  setrlimit(RLIMIT_CORE, &none);
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) landlock(file);
  if (file >= 0) close(file);
  ch5_allow(0, 0);
}

void ch5_allow(size_t seconds, size_t bytes) {
  struct timespec used = {0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  limit(RLIMIT_CPU, (rlim_t)used.tv_sec + CH5_SECONDS + seconds);
  if (memory_at_start > 0) limit(RLIMIT_AS, memory_at_start + CH5_MEMORY + bytes);
}
