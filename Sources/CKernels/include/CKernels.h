// SIMD kernels for several instruction sets, see isa.h. Every function has a slow twin in Swift
// that is its specification; shapes and meaning are documented there.
#pragma once

#include "attention.h"
#include "cast.h"
#include "decode.h"
#include "elementwise.h"
#include "gla.h"
#include "int4.h"
#include "int8.h"
#include "isa.h"
#include "linear.h"
#include "planes.h"
#include "pool.h"
#include "rows.h"
#include "spikes.h"
#include "training.h"
