// Weights in INT8 with a scale per group of inputs: rounding, and products with float32 activations
// and with spike counts.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"
#include "rows.h"

// W[r][c] = codes[r][c] · scales[r][c / group], r < rows, c < columns.
typedef struct {
  const int8_t *codes;  // rows `columns` bytes apart, any alignment
  const float *scales;  // [rows, ceil(columns / group)]
  size_t rows, columns, group;
} ck_int8_matrix;

// The least and the greatest code, whole numbers.
typedef struct {
  float least, most;
} ck_code_range;

// codes = w / scale to the nearest integer, ties to even, within the range; by the reciprocal of
// scale.
void ck_round_codes(ck_isa isa, const float *w, size_t n, float scale, ck_code_range range,
                    int8_t *codes);

// What rounding w at this scale leaves: with q as above and e = w - q · scale, the sums of
// importance · e², importance · q e and importance · q². importance may be null (ones).
void ck_code_residual(ck_isa isa, const float *w, const float *importance, size_t n, float scale,
                      ck_code_range range, float sums[3]);

// One row of `columns` values: codes · scales.
void ck_int8_decode(ck_isa isa, const int8_t *codes, const float *scales, size_t columns,
                    size_t group, float *output);

// y[t][r] = sum over groups of scale · (sum of codes · x[t]) + bias[r] in float32 for few tokens;
// bias may be null.
void ck_int8_dots(ck_isa isa, ck_int8_matrix w, ck_rows x, const float *bias, ck_output y);

// Spike counts as digits of base 256 in -128...127: count = sum over p of 256^p · digit p. A row of
// digits is padded with zeros to a multiple of CK_DIGIT_UNIT.
enum { CK_DIGIT_UNIT = 64 };
// A group no larger than this cannot overflow 32 bits: 65,536 · 255 · 128 < 2^31.
enum { CK_LARGEST_GROUP = 65536 };

// How many digits (1...4) all of the counts need; counts of magnitude up to 2^31 - 2^24 fit.
int32_t ck_count_digits(const int32_t *counts, size_t n);
// Digit `plane` of each count, `padded` bytes with zeros beyond n; and for each group -128 times
// the sum of its digits.
void ck_split_counts(const int32_t *counts, size_t n, size_t padded, size_t group, int32_t plane,
                     int8_t *digits, int32_t *offsets);

// Rows of digits as they are split.
typedef struct {
  const int8_t *values;  // `stride` bytes from row to row
  size_t stride, count;
  const int32_t *offsets;  // [count, groups] from ck_split_counts
} ck_digits;

// sums[p][r] = sum over groups of scale · (integer sum of codes · digits[p]) for few rows of
// digits.
void ck_int8_count_dots(ck_isa isa, ck_int8_matrix w, ck_digits digits, ck_output sums);

// The same sums for many rows of digits, which are packed beforehand.
enum {
  CK_COUNT_ROWS = 8,      // rows of digits in a packed block
  CK_COUNT_COLUMNS = 48,  // weight rows in a panel: pieces for threads are multiples of it
  CK_COUNT_DEPTH = 8192,  // inputs of a panel
};
// Bytes of packed digits, and of one thread's scratch memory; both aligned to 64.
size_t ck_packed_digits_bytes(size_t rows, size_t stride);
size_t ck_count_product_scratch(size_t columns, size_t group);
void ck_pack_digits(ck_digits digits, int32_t *packed);
// digits: what was packed, of which only the offsets and sizes are read here. group: a multiple of
// 32 that divides CK_COUNT_DEPTH, or at least `columns`. Only where CK_AVX512_VNNI is detected.
void ck_int8_count_product(ck_int8_matrix w, ck_digits digits, const int32_t *packed,
                           ck_output sums, void *scratch);

// A transposed copy of an INT8 weight for products that read active channels only.
//
// bytes: code + 128 as [ceil(rows / CK_EVENT_BLOCK), columns, CK_EVENT_BLOCK], rows that do not
// exist 0 + 128. Within 64 bytes, byte 16 q + 4 i + j belongs to row 16 i + 4 q + j (i, q, j < 4).
// scales: [blocks, groups, CK_EVENT_BLOCK].
enum { CK_EVENT_BLOCK = 256 };
typedef struct {
  const uint8_t *bytes;
  const float *scales;
  size_t rows, columns, group;
} ck_event_matrix;
// Builds both from the rows of one block, `count` of them from `row` on.
void ck_event_pack(ck_int8_matrix w, size_t row, size_t count, uint8_t *bytes, float *scales);

// Channels beyond those of the last group that are read, so that they can be asked for early; any
// valid ones.
enum { CK_EVENT_AHEAD = 68 };
// Lists the channels whose digit is not 0: `channels` and `active` hold up to columns + 4 · groups
// + CK_EVENT_AHEAD entries; those of group g are starts[g] ..< starts[g + 1], a multiple of 4
// (filled up with digits 0).
void ck_event_list(const int8_t *digits, size_t columns, size_t group, uint32_t *channels,
                   int8_t *active, uint32_t *starts);

// One row of digits as the channels that are not silent.
typedef struct {
  const uint32_t *channels;
  const int8_t *active;
  const uint32_t *starts;
  const int32_t *offsets;  // [groups] from ck_split_counts
} ck_events;

// sums[r] = sum over groups of scale · (sum over listed channels of code · digit) for the rows of
// some blocks. sums has ceil(rows / CK_EVENT_BLOCK) blocks.
void ck_event_sums(ck_isa isa, ck_event_matrix w, ck_events events, size_t first_block,
                   size_t blocks, float *sums);
