#include "CVersion.h"

// Package.swift defines it where the environment of the build has it.
#ifndef SPIKINGBRAIN_COMMIT
#define SPIKINGBRAIN_COMMIT "unknown"
#endif

const char *cversion_commit(void) { return SPIKINGBRAIN_COMMIT; }
