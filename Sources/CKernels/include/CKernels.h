// SIMD kernels with run-time dispatch. Every function has a slow twin in Swift that is its
// specification; shapes and meaning are documented there.
#pragma once

#include "isa.h"
