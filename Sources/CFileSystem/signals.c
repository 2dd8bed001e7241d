#define _GNU_SOURCE
#include "CFileSystem.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Nodes are never freed: a handler may walk the list at any moment.
struct cfs_mapping {
  _Atomic(const char *) base;
  _Atomic(int64_t) count;
  char *path;
  struct cfs_mapping *next;
};

static _Atomic(struct cfs_mapping *) mappings;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction earlier;

static void say(const char *text, size_t count) {
  while (count > 0) {
    ssize_t written = write(STDERR_FILENO, text, count);
    if (written <= 0) return;
    text += written, count -= (size_t)written;
  }
}

const char *cfs_mapped_path(const void *address) {
  for (struct cfs_mapping *m = atomic_load(&mappings); m != NULL; m = m->next) {
    const char *base = atomic_load(&m->base), *at = address;
    if (at >= base && at - base < atomic_load(&m->count)) return m->path;
  }
  return NULL;
}

static void on_lost_page(int number, siginfo_t *info, void *context) {
  const char *path = cfs_mapped_path(info->si_addr);
  if (path != NULL) {
    static const char start[] = "error: ";
    static const char rest[] =
        ": became shorter while it was read\n"
        "  try: let nothing write to it, and run the same command again\n";
    say(start, sizeof start - 1);
    for (; *path != 0; path++) {
      // A name must not command the terminal.
      say((unsigned char)*path < 0x20 || *path == 0x7f ? "?" : path, 1);
    }
    say(rest, sizeof rest - 1);
    _exit(2);
  }
  if (earlier.sa_flags & SA_SIGINFO) {
    earlier.sa_sigaction(number, info, context);
  } else {
    // Returning runs into the same fault again, which then ends the process.
    sigaction(SIGBUS, &earlier, NULL);
  }
}

static void install_once(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = on_lost_page;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &earlier);
}

cfs_mapping *cfs_watch_mapping(const void *base, int64_t count, const char *path) {
  static pthread_once_t installed = PTHREAD_ONCE_INIT;
  pthread_once(&installed, install_once);
  pthread_mutex_lock(&changing);
  struct cfs_mapping *m = atomic_load(&mappings);
  while (m != NULL && (atomic_load(&m->count) != 0 || strcmp(m->path, path) != 0)) m = m->next;
  if (m == NULL && (m = calloc(1, sizeof *m)) != NULL) {
    if ((m->path = strdup(path)) == NULL) {
      free(m), m = NULL;
    } else {
      m->next = atomic_load(&mappings);
      atomic_store(&mappings, m);
    }
  }
  if (m != NULL) {
    atomic_store(&m->base, (const char *)base);
    atomic_store(&m->count, count);
  }
  pthread_mutex_unlock(&changing);
  return m;
}

void cfs_unwatch_mapping(cfs_mapping *mapping) {
  if (mapping != NULL) atomic_store(&mapping->count, 0);
}

static _Atomic(const char *) last_words;

static void on_interrupt(int number) {
  const char *text = atomic_load(&last_words);
  if (text != NULL) say(text, strlen(text));
  signal(number, SIG_DFL);
  raise(number);
}

void cfs_say_when_interrupted(const char *text) {
  atomic_store(&last_words, text);
  for (int i = 0; i < 2; i++) {
    int number = i == 0 ? SIGINT : SIGTERM;
    struct sigaction current;
    // Whoever ignores a signal, as nohup does, or handles it goes on doing so.
    if (sigaction(number, NULL, &current) == 0 && current.sa_handler == SIG_DFL) {
      signal(number, on_interrupt);
    }
  }
}
