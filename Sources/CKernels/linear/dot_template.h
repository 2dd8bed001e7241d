// Dot products of weight rows with activations. R rows and T tokens at a time keep all
// accumulators in registers; 32 columns per step.
//
// Reading R rows side by side leaves the hardware prefetcher without a stream to follow and halves
// the bandwidth from memory (measured on Zen 4), so each step asks for the next rows in the order
// they lie in memory: the next R, or, where some rows are passed by tokens several times, one of
// the next such rows, so that memory is read while these are multiplied.
//
// bfloat16 needs no widening instruction: of 32 values read as 16 words, `word << 16` are the even
// ones and `word & 0xffff0000` the odd ones. Activations are put into that order beforehand.

#include "../decode/blocks.h"

// How many rows and tokens one step handles, by the number of registers, and how many accumulators
// each product has: eight chains hide the latency of the multiply-add.
#if CK_ISA == CK_AVX512
#define CK_ROWS 4
#define CK_TOKENS 3
#define CK_CHAINS(T) 2
#define CK_TOKENS_OF_BLOCKS 3
#else
#define CK_ROWS 2
#define CK_TOKENS 4
#define CK_CHAINS(T) ((T) == 1 ? 4 : (T) < 4 ? 2 : 1)
#define CK_TOKENS_OF_BLOCKS 2
#endif
#define CK_MOST_CHAINS 4
// Bytes of the rows that all tokens pass before the next ones, and how many these are at most: the
// tokens' inputs stay in the first-level cache, the rows in the second.
#define CK_BYTES_AT_ONCE (128 << 10)
#define CK_ROWS_AT_ONCE 16
// Registers that 16 values take.
#define CK_PARTS (16 / CK_REGISTER)

// Of 32 stored values of a type, register i of the first 16 and of the second 16: for bfloat16 the
// even and the odd ones.
CK_INLINE void ck(pair)(const int32_t type, const uint8_t *p, const int i, ck(vr) * a, ck(vr) * b) {
  const size_t first = (size_t)i * CK_REGISTER;
  if (type == CK_BF16) {
    ck(vru) words;
    memcpy(&words, p + 4 * first, sizeof words);
    *a = (ck(vr))(words << 16);
    *b = (ck(vr))(words & 0xffff0000);
  } else if (type == CK_F16) {
    *a = ck(widen_halves)(p + 2 * first);
    *b = ck(widen_halves)(p + 32 + 2 * first);
  } else {
    memcpy(a, p + 4 * first, sizeof *a);
    memcpy(b, p + 64 + 4 * first, sizeof *b);
  }
}

// Adds the products of 32 values of each of R rows with those of T tokens to their sums.
CK_INLINE void ck(dot_step)(const int32_t type, const int R, const int T, const uint8_t *w,
                            ptrdiff_t w_stride, const float *x, size_t x_stride,
                            ck(vr) sums[CK_MOST_CHAINS][CK_ROWS][CK_TOKENS]) {
  CK_EACH(i, CK_PARTS) {
    ck(vr) a[CK_ROWS], b[CK_ROWS];
    CK_EACH(r, R) ck(pair)(type, w + r * w_stride, i, &a[r], &b[r]);
    CK_EACH(t, T) {
      const ck(vr) value = ck(load_register)(x + t * x_stride + i * CK_REGISTER);
      ck(vr)(*chain)[CK_TOKENS] = sums[i % CK_CHAINS(T)];
      CK_EACH(r, R) chain[r][t] = chain[r][t] + a[r] * value;
    }
    CK_EACH(t, T) {
      const ck(vr) value = ck(load_register)(x + t * x_stride + 16 + i * CK_REGISTER);
      ck(vr)(*chain)[CK_TOKENS] = sums[(CK_PARTS + i) % CK_CHAINS(T)];
      CK_EACH(r, R) chain[r][t] = chain[r][t] + b[r] * value;
    }
  }
}

// R rows and T tokens; w, x, bias and y point at the first of them. Asks for the A rows at `ahead`.
CK_INLINE void ck(dot_tile)(const int32_t type, const int R, const int T, const int A,
                            ck_stored_rows w, ck_rows x, const float *bias, ck_output y,
                            uintptr_t ahead) {
  const size_t step = type == CK_F32 ? 128 : 64;
  const uint8_t *rows = w.rows;
  ck(vr) sums[CK_MOST_CHAINS][CK_ROWS][CK_TOKENS] = {};
  size_t c = 0;
  for (; c + 32 <= w.columns; c += 32) {
    for (size_t line = 0; line < A * ((step + 63) / 64); line++)
      __builtin_prefetch((const void *)(ahead + A * c / 32 * step + line * 64), 0, 2);
    ck(dot_step)(type, R, T, rows + c / 32 * step, w.stride, x.values + c, x.stride, sums);
  }
  if (c < w.columns) {
    uint8_t tail[CK_ROWS][32 * 4] = {};
    CK_EACH(r, R)
      memcpy(tail[r], rows + r * w.stride + c / 32 * step, (w.columns - c) * (step / 32));
    ck(dot_step)(type, R, T, tail[0], sizeof tail[0], x.values + c, x.stride, sums);
  }
  CK_EACH(r, R) {
    CK_EACH(t, T) {
      ck(vr) sum = sums[0][r][t];
      if (CK_CHAINS(T) == 2) sum = sum + sums[1][r][t];
      if (CK_CHAINS(T) == 4) sum = (sum + sums[2][r][t]) + (sums[1][r][t] + sums[3][r][t]);
      y.values[t * y.stride + r] = ck(register_sum)(sum) + (bias ? bias[r] : 0.0f);
    }
  }
}

CK_INLINE void ck(dot_rows_of_tokens)(const int32_t type, const int R, const int A,
                                      ck_stored_rows w, ck_rows x, const float *bias, ck_output y,
                                      uintptr_t ahead) {
  if (x.count >= CK_TOKENS) ck(dot_tile)(type, R, CK_TOKENS, A, w, x, bias, y, ahead);
  else if (x.count == 3) ck(dot_tile)(type, R, 3, A, w, x, bias, y, ahead);
  else if (x.count == 2) ck(dot_tile)(type, R, 2, A, w, x, bias, y, ahead);
  else ck(dot_tile)(type, R, 1, A, w, x, bias, y, ahead);
}

CK_INLINE void ck(dot_all)(const int32_t type, ck_stored_rows w, ck_rows x, const float *bias,
                           ck_output y) {
  const int is_dense = w.stride == (ptrdiff_t)(w.columns / 32 * (type == CK_F32 ? 128 : 64));
  const int is_several = x.count > CK_TOKENS;
  size_t most = CK_ROWS;
  while (is_dense && most < CK_ROWS_AT_ONCE && 2 * most * (size_t)w.stride <= CK_BYTES_AT_ONCE)
    most *= 2;
  for (size_t first = 0; first < w.count; first += most) {
    const size_t end = first + most < w.count ? first + most : w.count;
    // Where `is_several`: of the rows behind `end`, the next to ask for.
    size_t next = end;
    for (size_t t = 0; t < x.count; t += CK_TOKENS) {
      const ck_rows tokens = {x.values + t * x.stride, x.stride, x.count - t};
      for (size_t r = first; r < end;) {
        const size_t count = end - r >= CK_ROWS ? CK_ROWS : 1;
        const uint8_t *rows = (const uint8_t *)w.rows + (ptrdiff_t)r * w.stride;
        const size_t ahead = is_several ? next : r + count;
        const int is_asked = is_dense && ahead + count <= w.count && ahead < end + most;
        const uintptr_t place = (uintptr_t)rows + (is_asked ? ahead - r : 0) * (size_t)w.stride;
        const ck_stored_rows some = {type, rows, w.stride, count, w.columns};
        const float *b = bias ? bias + r : bias;
        const ck_output out = {y.values + t * y.stride + r, y.stride};
        if (count == 1) ck(dot_rows_of_tokens)(type, 1, 1, some, tokens, b, out, place);
        else if (is_several)
          ck(dot_rows_of_tokens)(type, CK_ROWS, CK_ROWS / 2, some, tokens, b, out, place);
        else ck(dot_rows_of_tokens)(type, CK_ROWS, CK_ROWS, some, tokens, b, out, place);
        next += CK_ROWS / 2;
        r += count;
      }
    }
  }
}

// Rows of blocks of 32 codes: the factor of a block is multiplied once, with the sum over it, and
// what is added to all of its values with the sum of its activations, which lie behind them.
CK_INLINE void ck(dot_blocks)(const int32_t type, const int T, ck_stored_rows w, ck_rows x,
                              const float *bias, ck_output y) {
  const size_t blocks = w.columns / 32;
  for (size_t r = 0; r < w.count; r++) {
    const uint8_t *b = (const uint8_t *)w.rows + (ptrdiff_t)r * w.stride;
    vf sums[CK_TOKENS_OF_BLOCKS] = {};
    float added[CK_TOKENS_OF_BLOCKS] = {0};
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
    vf sums[CK_TOKENS_OF_BLOCKS] = {};
    float added[CK_TOKENS_OF_BLOCKS] = {0};
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
    vf sums[CK_TOKENS_OF_BLOCKS] = {};
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
    const size_t n = left >= CK_TOKENS_OF_BLOCKS ? CK_TOKENS_OF_BLOCKS : 1;
    if (n == CK_TOKENS_OF_BLOCKS) ck(dot_rows_of_blocks)(type, CK_TOKENS_OF_BLOCKS, w, x, bias, y);
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
#undef CK_MOST_CHAINS
#undef CK_PARTS
#undef CK_ROWS_AT_ONCE
#undef CK_BYTES_AT_ONCE
#undef CK_ROWS
#undef CK_TOKENS
#undef CK_TOKENS_OF_BLOCKS
