// Dot products of weight rows with activations. R rows and T tokens at a time keep all
// accumulators in registers; 32 columns per step.
//
// Reading R rows side by side leaves the hardware prefetcher without a stream to follow and halves
// the bandwidth from memory (measured on Zen 4), so each step asks for the next R rows in the
// order they lie in memory.
//
// bfloat16 needs no widening instruction: of 32 values read as 16 words, `word << 16` are the even
// ones and `word & 0xffff0000` the odd ones. Activations are put into that order beforehand.

#include "../decode/blocks.h"

// 32 stored values of a type as two vectors.
CK_INLINE void ck(pair)(const int32_t type, const uint8_t *p, vf *a, vf *b) {
  if (type == CK_BF16) {
    vu words;
    memcpy(&words, p, sizeof words);
    *a = (vf)(words << 16);
    *b = (vf)(words & 0xffff0000);
  } else if (type == CK_F16) {
    vh halves[2];
    memcpy(halves, p, sizeof halves);
    *a = ck(widen_half)(halves[0]);
    *b = ck(widen_half)(halves[1]);
  } else {
    memcpy(a, p, sizeof *a);
    memcpy(b, p + 64, sizeof *b);
  }
}

// How many rows and tokens one step handles, by the number of registers, and how many accumulators
// each product has: two chains hide the latency of the multiply-add when there are few products.
#if CK_ISA == CK_AVX512
#define CK_ROWS 4
#define CK_TOKENS 3
#define CK_CHAINS(T) 2
#else
#define CK_ROWS 2
#define CK_TOKENS 2
#define CK_CHAINS(T) ((T) == 1 ? 2 : 1)
#endif

// Adds the products of 32 values of row r with T activation vectors to their sums.
CK_INLINE void ck(dot_step)(const int32_t type, const int T, const uint8_t *w, const float *x,
                            size_t x_stride, const int r, vf sums[2][CK_ROWS][CK_TOKENS]) {
  vf a, b;
  ck(pair)(type, w, &a, &b);
  CK_EACH(t, T) {
    sums[0][r][t] = sums[0][r][t] + a * ck(load)(x + t * x_stride);
    vf *second = &sums[CK_CHAINS(T) - 1][r][t];
    *second = *second + b * ck(load)(x + t * x_stride + 16);
  }
}

// R rows and T tokens; w, x, bias and y point at the first of them.
CK_INLINE void ck(dot_tile)(const int32_t type, const int R, const int T, ck_stored_rows w,
                            ck_rows x, const float *bias, ck_output y) {
  const size_t step = type == CK_F32 ? 128 : 64;
  const uint8_t *rows = w.rows;
  vf sums[2][CK_ROWS][CK_TOKENS] = {};
  const uintptr_t ahead =
      (uintptr_t)rows + (w.stride == (ptrdiff_t)(w.columns / 32 * step) ? R * w.stride : 0);
  size_t c = 0;
  for (; c + 32 <= w.columns; c += 32) {
    CK_EACH(r, R) {
      for (size_t line = 0; line < (step + 63) / 64; line++)
        __builtin_prefetch((const void *)(ahead + R * c / 32 * step + r * step + line * 64), 0, 2);
      ck(dot_step)(type, T, rows + r * w.stride + c / 32 * step, x.values + c, x.stride, r, sums);
    }
  }
  if (c < w.columns) {
    CK_EACH(r, R) {
      uint8_t tail[32 * 4] = {0};
      memcpy(tail, rows + r * w.stride + c / 32 * step, (w.columns - c) * (step / 32));
      ck(dot_step)(type, T, tail, x.values + c, x.stride, r, sums);
    }
  }
  CK_EACH(r, R) {
    CK_EACH(t, T)
      y.values[t * y.stride + r] = ck(sum)(sums[0][r][t] + sums[1][r][t]) + (bias ? bias[r] : 0.0f);
  }
}

CK_INLINE void ck(dot_tokens)(const int32_t type, const int R, ck_stored_rows w, ck_rows x,
                              const float *bias, ck_output y) {
  for (size_t left = x.count; left > 0;) {
    size_t n = left >= CK_TOKENS ? CK_TOKENS : left >= 2 ? 2 : 1;
    if (n == CK_TOKENS) ck(dot_tile)(type, R, CK_TOKENS, w, x, bias, y);
    else if (n == 2) ck(dot_tile)(type, R, 2, w, x, bias, y);
    else ck(dot_tile)(type, R, 1, w, x, bias, y);
    x.values += n * x.stride;
    y.values += n * y.stride;
    left -= n;
  }
}

CK_INLINE void ck(dot_all)(const int32_t type, ck_stored_rows w, ck_rows x, const float *bias,
                           ck_output y) {
  for (size_t left = w.count; left > 0;) {
    size_t n = left >= CK_ROWS ? CK_ROWS : 1;
    if (n == CK_ROWS) ck(dot_tokens)(type, CK_ROWS, w, x, bias, y);
    else ck(dot_tokens)(type, 1, w, x, bias, y);
    w.rows = (const uint8_t *)w.rows + (ptrdiff_t)n * w.stride;
    if (bias) bias += n;
    y.values += n;
    left -= n;
  }
}

// Rows of blocks of 32 codes: the factor of a block is multiplied once, with the sum over it, and
// what is added to all of its values with the sum of its activations, which lie behind them.
CK_INLINE void ck(dot_blocks)(const int32_t type, const int T, ck_stored_rows w, ck_rows x,
                              const float *bias, ck_output y) {
  const size_t blocks = w.columns / 32;
  for (size_t r = 0; r < w.count; r++) {
    const uint8_t *b = (const uint8_t *)w.rows + (ptrdiff_t)r * w.stride;
    vf sums[CK_TOKENS] = {};
    float added[CK_TOKENS] = {0};
    for (size_t i = 0; i < blocks; i++, b += ck(block_bytes)(type)) {
      vf low, high;
      ck(block_codes)(type, b, &low, &high);
      const float d = ck(half)(b);
      const float m = ck(has_minimum)(type) ? ck(half)(b + 2) : -ck(offset)(type) * d;
      CK_EACH(t, T) {
        const float *token = x.values + t * x.stride;
        const vf part = low * ck(load)(token + 32 * i) + high * ck(load)(token + 32 * i + 16);
        sums[t] = sums[t] + d * part;
        if (type != CK_Q8_0) added[t] += m * token[32 * blocks + i];
      }
    }
    CK_EACH(t, T)
      y.values[t * y.stride + r] = ck(sum)(sums[t]) + added[t] + (bias ? bias[r] : 0.0f);
  }
}

// Rows of blocks of 256 codes in sub-blocks of 32 with a scale and a minimum each.
CK_INLINE void ck(dot_45_K)(const int32_t type, const int T, ck_stored_rows w, ck_rows x,
                            const float *bias, ck_output y) {
  const size_t blocks = w.columns / 256, bytes = type == CK_Q4_K ? 144 : 176;
  for (size_t r = 0; r < w.count; r++) {
    const uint8_t *b = (const uint8_t *)w.rows + (ptrdiff_t)r * w.stride;
    vf sums[CK_TOKENS] = {};
    float added[CK_TOKENS] = {0};
    for (size_t i = 0; i < blocks; i++, b += bytes) {
      float d[8], m[8];
      ck(scales_K)(b, d, m);
      CK_EACH(part, 4) {
        vf low[2], high[2];
        ck(codes_45_K)(type, b, part, low, high);
        CK_EACH(t, T) {
          const float *token = x.values + (size_t)t * x.stride;
          const float *p = token + 256 * i + 64 * (size_t)part;
          const float *inputs = token + w.columns + 8 * i + 2 * (size_t)part;
          const vf a = low[0] * ck(load)(p) + low[1] * ck(load)(p + 16);
          const vf c = high[0] * ck(load)(p + 32) + high[1] * ck(load)(p + 48);
          sums[t] = sums[t] + d[2 * part] * a;
          sums[t] = sums[t] + d[2 * part + 1] * c;
          added[t] += m[2 * part] * inputs[0] + m[2 * part + 1] * inputs[1];
        }
      }
    }
    CK_EACH(t, T)
      y.values[(size_t)t * y.stride + r] = ck(sum)(sums[t]) - added[t] + (bias ? bias[r] : 0.0f);
  }
}

// Rows of blocks of 256 codes with a scale for each 16.
CK_INLINE void ck(dot_6_K)(const int T, ck_stored_rows w, ck_rows x, const float *bias,
                           ck_output y) {
  const size_t blocks = w.columns / 256;
  for (size_t r = 0; r < w.count; r++) {
    const uint8_t *b = (const uint8_t *)w.rows + (ptrdiff_t)r * w.stride;
    vf sums[CK_TOKENS] = {};
    for (size_t k = 0; k < blocks; k++, b += 210) {
      const float d = ck(half)(b + 208);
      const int8_t *scales = (const int8_t *)b + 192;
      CK_EACH(part, 2)
        CK_EACH(i, 2) {
          vf codes[4];
          ck(codes_6_K)(b, part, i, codes);
          CK_EACH(quarter, 4) {
            const float scale = d * (float)scales[8 * part + 2 * quarter + i];
            const size_t place = 256 * k + (size_t)(128 * part + 32 * quarter + 16 * i);
            CK_EACH(t, T)
              sums[t] = sums[t] + scale * (codes[quarter] *
                                           ck(load)(x.values + (size_t)t * x.stride + place));
          }
        }
    }
    CK_EACH(t, T) y.values[(size_t)t * y.stride + r] = ck(sum)(sums[t]) + (bias ? bias[r] : 0.0f);
  }
}

CK_INLINE void ck(dot_rows_of_blocks)(const int32_t type, const int T, ck_stored_rows w, ck_rows x,
                                      const float *bias, ck_output y) {
  if (type == CK_Q6_K) ck(dot_6_K)(T, w, x, bias, y);
  else if (type >= CK_Q4_K) ck(dot_45_K)(type, T, w, x, bias, y);
  else ck(dot_blocks)(type, T, w, x, bias, y);
}

CK_INLINE void ck(dot_all_blocks)(const int32_t type, ck_stored_rows w, ck_rows x,
                                  const float *bias, ck_output y) {
  for (size_t left = x.count; left > 0;) {
    const size_t n = left >= CK_TOKENS ? CK_TOKENS : 1;
    if (n == CK_TOKENS) ck(dot_rows_of_blocks)(type, CK_TOKENS, w, x, bias, y);
    else ck(dot_rows_of_blocks)(type, 1, w, x, bias, y);
    x.values += n * x.stride;
    y.values += n * y.stride;
    left -= n;
  }
}

static void ck(dot_rows)(ck_stored_rows w, ck_rows x, const float *bias, ck_output y) {
  switch (w.type) {
    case CK_BF16: ck(dot_all)(CK_BF16, w, x, bias, y); break;
    case CK_F16: ck(dot_all)(CK_F16, w, x, bias, y); break;
    case CK_Q8_0: ck(dot_all_blocks)(CK_Q8_0, w, x, bias, y); break;
    case CK_Q4_0: ck(dot_all_blocks)(CK_Q4_0, w, x, bias, y); break;
    case CK_Q4_1: ck(dot_all_blocks)(CK_Q4_1, w, x, bias, y); break;
    case CK_Q5_0: ck(dot_all_blocks)(CK_Q5_0, w, x, bias, y); break;
    case CK_Q5_1: ck(dot_all_blocks)(CK_Q5_1, w, x, bias, y); break;
    case CK_Q4_K: ck(dot_all_blocks)(CK_Q4_K, w, x, bias, y); break;
    case CK_Q5_K: ck(dot_all_blocks)(CK_Q5_K, w, x, bias, y); break;
    case CK_Q6_K: ck(dot_all_blocks)(CK_Q6_K, w, x, bias, y); break;
    default: ck(dot_all)(CK_F32, w, x, bias, y);
  }
}
#undef CK_CHAINS
#undef CK_ROWS
#undef CK_TOKENS
