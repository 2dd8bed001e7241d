// What the two compilers spell differently.
#pragma once

#define CK_INLINE static inline __attribute__((always_inline, unused))
#define CK_PRAGMA(...) _Pragma(#__VA_ARGS__)

#if defined(__clang__)
// Unrolls the loop that follows, whose bounds are constants once inlined.
#define CK_UNROLL CK_PRAGMA(clang loop unroll(full))
// No fused multiply-add from here to the end of the file.
#define CK_NO_CONTRACTION CK_PRAGMA(STDC FP_CONTRACT OFF)
// Functions between the two are compiled for these instruction sets.
#define CK_TARGET_BEGIN(sets) \
  CK_PRAGMA(clang attribute push(__attribute__((target(sets))), apply_to = function))
#define CK_TARGET_END CK_PRAGMA(clang attribute pop)
#else
#define CK_UNROLL CK_PRAGMA(GCC unroll 16)
#define CK_NO_CONTRACTION CK_PRAGMA(GCC optimize("fp-contract=off"))
#define CK_TARGET_BEGIN(sets) CK_PRAGMA(GCC push_options) CK_PRAGMA(GCC target(sets))
#define CK_TARGET_END CK_PRAGMA(GCC pop_options)
#endif

// for (int i = 0; i < count; i++), unrolled.
#define CK_EACH(i, count) \
  CK_UNROLL               \
  for (int i = 0; i < (count); i++)

// The name of a template's function in the variant CK_SUFFIX.
#define CK_PASTE_(name, suffix) name##_##suffix
#define CK_PASTE(name, suffix) CK_PASTE_(name, suffix)
#define ck(name) CK_PASTE(name, CK_SUFFIX)
