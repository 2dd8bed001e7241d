// Stored rows to float32. Every operation is rounded on its own (no fused multiply-add), as in the
// reference, so that values match the published formats to the last bit.

#include "../decode/blocks.h"
#include "../decode/more_blocks.h"
#include "../decode/grid_blocks.h"

CK_INLINE void ck(decode_bf16)(const uint8_t *p, float *y, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    vh h;
    memcpy(&h, p + 2 * i, sizeof h);
    ck(store)(y + i, (vf)(__builtin_convertvector(h, vu) << 16));
  }
  for (; i < n; i++) {
    uint32_t bits = (uint32_t)ck(u16)(p + 2 * i) << 16;
    memcpy(y + i, &bits, 4);
  }
}

CK_INLINE void ck(decode_f16)(const uint8_t *p, float *y, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    vh h;
    memcpy(&h, p + 2 * i, sizeof h);
    ck(store)(y + i, ck(widen_half)(h));
  }
  if (i < n) {
    vh h = {};
    memcpy(&h, p + 2 * i, 2 * (n - i));
    ck(store_some)(y + i, n - i, ck(widen_half)(h));
  }
}

CK_INLINE void ck(decode_f64)(const uint8_t *p, float *y, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double v;
    memcpy(&v, p + 8 * i, 8);
    y[i] = (float)v;
  }
}

CK_INLINE void ck(block_45_K)(const int32_t type, const uint8_t *b, float *y) {
  float d[8], m[8];
  ck(scales_K)(b, d, m);
  CK_EACH(part, 4) {
    vf low[2], high[2];
    ck(codes_45_K)(type, b, part, low, high);
    CK_EACH(i, 2) {
      float *target = y + 64 * part + 16 * i;
      ck(store)(target, low[i] * d[2 * part] - m[2 * part]);
      ck(store)(target + 32, high[i] * d[2 * part + 1] - m[2 * part + 1]);
    }
  }
}

CK_INLINE void ck(block_q4_K)(const uint8_t *b, float *y) { ck(block_45_K)(CK_Q4_K, b, y); }
CK_INLINE void ck(block_q5_K)(const uint8_t *b, float *y) { ck(block_45_K)(CK_Q5_K, b, y); }

CK_INLINE void ck(block_q6_K)(const uint8_t *b, float *y) {
  const float d = ck(half)(b + 208);
  const int8_t *scales = (const int8_t *)b + 192;
  CK_EACH(part, 2)
    CK_EACH(i, 2) {
      vf codes[4];
      ck(codes_6_K)(b, part, i, codes);
      CK_EACH(quarter, 4)
        ck(store)(y + 128 * part + 32 * quarter + 16 * i,
                  codes[quarter] * (d * (float)scales[8 * part + 2 * quarter + i]));
    }
}

CK_INLINE void ck(small_blocks)(const int32_t type, const uint8_t *p, float *y, size_t n) {
  for (size_t i = 0; i < n; i += 32, p += ck(block_bytes)(type)) {
    vf low, high;
    ck(block)(type, p, &low, &high);
    ck(store)(y + i, low);
    ck(store)(y + i + 16, high);
  }
}

// n elements in blocks of so many bytes and elements; the decoder is inlined.
CK_INLINE void ck(blocks)(block_decoder *decode, size_t bytes, size_t elements, const uint8_t *p,
                          float *y, size_t n) {
  for (size_t i = 0; i < n / elements; i++) decode(p + i * bytes, y + i * elements);
}

static void ck(decode)(int32_t type, const uint8_t *p, float *y, size_t n) {
  switch (type) {
    case CK_F32: memcpy(y, p, n * 4); break;
    case CK_F64: ck(decode_f64)(p, y, n); break;
    case CK_F16: ck(decode_f16)(p, y, n); break;
    case CK_BF16: ck(decode_bf16)(p, y, n); break;
    case CK_Q8_0: ck(small_blocks)(CK_Q8_0, p, y, n); break;
    case CK_Q4_0: ck(small_blocks)(CK_Q4_0, p, y, n); break;
    case CK_Q4_1: ck(small_blocks)(CK_Q4_1, p, y, n); break;
    case CK_Q5_0: ck(small_blocks)(CK_Q5_0, p, y, n); break;
    case CK_Q5_1: ck(small_blocks)(CK_Q5_1, p, y, n); break;
    case CK_Q4_K: ck(blocks)(ck(block_q4_K), 144, 256, p, y, n); break;
    case CK_Q5_K: ck(blocks)(ck(block_q5_K), 176, 256, p, y, n); break;
    case CK_Q6_K: ck(blocks)(ck(block_q6_K), 210, 256, p, y, n); break;
    case CK_Q2_K: ck(blocks)(ck(block_q2_K), 84, 256, p, y, n); break;
    case CK_Q3_K: ck(blocks)(ck(block_q3_K), 110, 256, p, y, n); break;
    case CK_IQ4_NL: ck(blocks)(ck(block_iq4_nl), 18, 32, p, y, n); break;
    case CK_IQ4_XS: ck(blocks)(ck(block_iq4_xs), 136, 256, p, y, n); break;
    case CK_MXFP4: ck(blocks)(ck(block_mxfp4), 17, 32, p, y, n); break;
    case CK_TQ1_0: ck(blocks)(ck(block_tq1_0), 54, 256, p, y, n); break;
    case CK_TQ2_0: ck(blocks)(ck(block_tq2_0), 66, 256, p, y, n); break;
    case CK_IQ1_S: ck(blocks)(ck(block_iq1_s), 50, 256, p, y, n); break;
    case CK_IQ1_M: ck(blocks)(ck(block_iq1_m), 56, 256, p, y, n); break;
    case CK_IQ2_XXS: ck(blocks)(ck(block_iq2_xxs), 66, 256, p, y, n); break;
    case CK_IQ2_XS: ck(blocks)(ck(block_iq2_xs), 74, 256, p, y, n); break;
    case CK_IQ2_S: ck(blocks)(ck(block_iq2_s), 82, 256, p, y, n); break;
    case CK_IQ3_XXS: ck(blocks)(ck(block_iq3_xxs), 98, 256, p, y, n); break;
    case CK_IQ3_S: ck(blocks)(ck(block_iq3_s), 110, 256, p, y, n); break;
    default: break;
  }
}
