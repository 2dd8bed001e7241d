#include "int8.h"

#include <string.h>

int32_t ck_count_digits(const int32_t *counts, size_t n) {
  int32_t low = 0, high = 0;
  for (size_t i = 0; i < n; i++) {
    low = counts[i] < low ? counts[i] : low;
    high = counts[i] > high ? counts[i] : high;
  }
  // The numbers that 1, 2 and 3 digits reach.
  if (low >= -128 && high <= 127) return 1;
  if (low >= -32896 && high <= 32639) return 2;
  return low >= -8421504 && high <= 8355711 ? 3 : 4;
}

void ck_split_counts(const int32_t *counts, size_t n, size_t padded, size_t group, int32_t plane,
                     int8_t *digits, int32_t *offsets) {
  if (plane == 0) {
    for (size_t i = 0; i < n; i++) digits[i] = (int8_t)counts[i];
  } else {
    for (size_t i = 0; i < n; i++) {
      int32_t v = counts[i];
      // What is left after a digit: (v - digit) / 256, without overflow.
      for (int32_t p = 0; p < plane; p++) v = (v >> 8) + ((v >> 7) & 1);
      digits[i] = (int8_t)v;
    }
  }
  memset(digits + n, 0, padded - n);
  for (size_t first = 0; first < n; first += group) {
    const size_t end = n - first < group ? n : first + group;
    int32_t sum = 0;
    for (size_t i = first; i < end; i++) sum += digits[i];
    *offsets++ = -128 * sum;
  }
}

void ck_pack_digits(ck_digits digits, int32_t *packed) {
  const size_t words = digits.stride / 4;
  for (size_t first = 0; first < digits.count; first += CK_COUNT_ROWS) {
    const size_t rows = digits.count - first < CK_COUNT_ROWS ? digits.count - first : CK_COUNT_ROWS;
    if (rows < CK_COUNT_ROWS) memset(packed, 0, words * CK_COUNT_ROWS * sizeof *packed);
    for (size_t i = 0; i < rows; i++) {
      const int8_t *source = digits.values + (first + i) * digits.stride;
      for (size_t k = 0; k < words; k++)
        memcpy(packed + k * CK_COUNT_ROWS + i, source + 4 * k, sizeof *packed);
    }
    packed += words * CK_COUNT_ROWS;
  }
}

size_t ck_packed_digits_bytes(size_t rows, size_t stride) {
  return (rows + CK_COUNT_ROWS - 1) / CK_COUNT_ROWS * CK_COUNT_ROWS * stride;
}
