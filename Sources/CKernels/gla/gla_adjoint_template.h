// The recurrence of gated linear attention, run backwards for the gradient of its state. As in the
// forward direction 16 lanes of the state of N tokens stay in registers per row: one load and one
// store, N · (2 + G) vector operations, no horizontal sums.

typedef struct {
  size_t rows;
  float scale;
  const float *a;
  size_t a_stride;
  const float *b;
  size_t b_stride, b_head_stride;
  const float *c;
  size_t c_stride;
  const float *decay;  // exp g of the token after, [N, decay_stride], of rows or of lanes
  size_t decay_stride;
  int lane_decay;
  float *state;
  size_t state_stride;
  float *o;
  size_t o_stride;
} CK(gla_adjoint_block);

// N tokens from the last to the first, G heads, `lanes` channels. When a group has more heads than
// registers hold, the first of its parts decays the state and the last one reads it.
CK_INLINE void CK(gla_adjoint_tile)(const int N, const int G, const int lane_decay,
                                    const CK(gla_adjoint_block) * p, size_t lanes,
                                    const int first, const int last) {
  const int full = lanes == CK_LANES;
  vf b[4][8], decay[4], acc[4];
#pragma clang loop unroll(full)
  for (int t = 0; t < N; t++) {
#pragma clang loop unroll(full)
    for (int h = 0; h < G; h++) {
      const float *source = p->b + (size_t)t * p->b_stride + (size_t)h * p->b_head_stride;
      b[t][h] = full ? CK(load)(source) : CK(load_some)(source, lanes, 0);
    }
    if (lane_decay)
      decay[t] = full ? CK(load)(p->decay + (size_t)t * p->decay_stride)
                      : CK(load_some)(p->decay + (size_t)t * p->decay_stride, lanes, 0);
    acc[t] = (vf){};
  }
  for (size_t i = 0; i < p->rows; i++) {
    float *row = p->state + i * p->state_stride;
    vf r = full ? CK(load)(row) : CK(load_some)(row, lanes, 0);
#pragma clang loop unroll(full)
    for (int t = N - 1; t >= 0; t--) {
      const float *a = p->a + (size_t)t * p->a_stride + i;
      // Only one operation of the sum waits for the old state.
      vf added = a[0] * b[t][0];
#pragma clang loop unroll(full)
      for (int h = 1; h < G; h++) added = added + a[(size_t)h * p->rows] * b[t][h];
      if (!first) r = r + added;
      else if (lane_decay) r = r * decay[t] + added;
      else r = r * p->decay[(size_t)t * p->decay_stride + i] + added;
      if (last) acc[t] = acc[t] + p->c[(size_t)t * p->c_stride + i] * r;
    }
    if (full) CK(store)(row, r);
    else CK(store_some)(row, lanes, r);
  }
  if (!last) return;
#pragma clang loop unroll(full)
  for (int t = 0; t < N; t++) {
    float *o = p->o + (size_t)t * p->o_stride;
    if (full) CK(store)(o, acc[t] * p->scale);
    else CK(store_some)(o, lanes, acc[t] * p->scale);
  }
}

#define CK_CASE(N, G)                                                            \
  case G:                                                                        \
    if (p->lane_decay) CK(gla_adjoint_tile)(N, G, 1, p, lanes, 1, 1);            \
    else CK(gla_adjoint_tile)(N, G, 0, p, lanes, 1, 1);                          \
    break;

static void CK(gla_adjoint_four)(size_t group, const CK(gla_adjoint_block) * p, size_t lanes) {
  switch (group) { CK_CASE(4, 1) CK_CASE(4, 2) CK_CASE(4, 3) CK_CASE(4, 4) }
}

static void CK(gla_adjoint_two)(size_t group, const CK(gla_adjoint_block) * p, size_t lanes) {
  switch (group) {
    CK_CASE(2, 1) CK_CASE(2, 2) CK_CASE(2, 3) CK_CASE(2, 4)
    CK_CASE(2, 5) CK_CASE(2, 6) CK_CASE(2, 7) CK_CASE(2, 8)
  }
}

static void CK(gla_adjoint_one)(size_t group, const CK(gla_adjoint_block) * p, size_t lanes) {
  switch (group) {
    CK_CASE(1, 1) CK_CASE(1, 2) CK_CASE(1, 3) CK_CASE(1, 4)
    CK_CASE(1, 5) CK_CASE(1, 6) CK_CASE(1, 7) CK_CASE(1, 8)
  }
}
#undef CK_CASE

// One token of a group of any size, one head at a time.
static void CK(gla_adjoint_any)(size_t group, const CK(gla_adjoint_block) * p, size_t lanes) {
  CK(gla_adjoint_block) part = *p;
  for (size_t h = 0; h < group; h++) {
    int first = h == 0, last = h + 1 == group;
    if (p->lane_decay) CK(gla_adjoint_tile)(1, 1, 1, &part, lanes, first, last);
    else CK(gla_adjoint_tile)(1, 1, 0, &part, lanes, first, last);
    part.a += p->rows;
    part.b += p->b_head_stride;
  }
}

// `tokens` tokens from the last to the first; p describes the first one.
CK_INLINE void CK(gla_adjoint_panel)(const CK(gla_adjoint_block) * p, size_t tokens, size_t group,
                                     size_t lanes) {
  // The vectors b and the accumulators must fit the registers: 32 of 16 lanes, or 8 (AVX2,
  // generic).
#if CK_ISA == CK_AVX512
  const size_t step = group <= 4 ? 4 : 2;
#else
  const size_t step = group == 1 ? 2 : 1;
#endif
  for (size_t left = tokens; left > 0;) {
    size_t n = left >= step && group <= 8 ? step : 1;
    left -= n;
    CK(gla_adjoint_block) at = *p;
    at.a += left * p->a_stride;
    at.b += left * p->b_stride;
    at.c += left * p->c_stride;
    at.o += left * p->o_stride;
    at.decay += left * p->decay_stride;
    if (group > 8) CK(gla_adjoint_any)(group, &at, lanes);
    else if (n == 4) CK(gla_adjoint_four)(group, &at, lanes);
    else if (n == 2) CK(gla_adjoint_two)(group, &at, lanes);
    else CK(gla_adjoint_one)(group, &at, lanes);
  }
}

static void CK(gla_adjoint)(size_t tokens, size_t group, size_t rows, size_t columns, float scale,
                            const float *a, size_t a_stride, const float *b, size_t b_stride,
                            size_t b_head_stride, const float *c, size_t c_stride, const float *g,
                            size_t g_stride, int lane_decay, float *state, size_t state_stride,
                            float *o, size_t o_stride, float *scratch) {
  size_t width = lane_decay ? columns : rows;
  for (size_t left = tokens; left > 0;) {
    size_t n = left < CK_GLA_CHUNK ? left : CK_GLA_CHUNK;
    left -= n;
    for (size_t i = 0; i < n; i++) {
      float *decay = scratch + i * width;
      if (left + i + 1 < tokens) CK(exp_map)(g + (left + i + 1) * g_stride, decay, width);
      else for (size_t c = 0; c < width; c++) decay[c] = 1;
    }
    for (size_t column = 0; column < columns; column += CK_LANES) {
      size_t lanes = columns - column < CK_LANES ? columns - column : CK_LANES;
      CK(gla_adjoint_block) p = {
          .rows = rows, .scale = scale, .a = a + left * a_stride, .a_stride = a_stride,
          .b = b + left * b_stride + column, .b_stride = b_stride,
          .b_head_stride = b_head_stride, .c = c + left * c_stride, .c_stride = c_stride,
          .decay = scratch + (lane_decay ? column : 0), .decay_stride = width,
          .lane_decay = lane_decay, .state = state + column, .state_stride = state_stride,
          .o = o + left * o_stride + column, .o_stride = o_stride,
      };
      CK(gla_adjoint_panel)(&p, n, group, lanes);
    }
  }
  if (tokens == 0) return;
  CK(exp_map)(g, scratch, width);
  for (size_t r = 0; r < rows; r++) {
    float *row = state + r * state_stride;
    for (size_t c = 0; c < columns; c++) row[c] *= scratch[lane_decay ? c : r];
  }
}

static void CK(gla_decay_gradient)(size_t tokens, size_t group, size_t columns,
                                   const float *restrict q, const float *restrict dq,
                                   size_t q_stride, size_t q_head_stride, const float *restrict k,
                                   const float *restrict dk, size_t k_stride, float *restrict dg,
                                   double *restrict sums) {
  for (size_t t = tokens; t-- > 0;) {
    for (size_t h = 0; h < group; h++) {
      size_t start = t * q_stride + h * q_head_stride;
      for (size_t i = 0; i < columns; i++)
        sums[i] += (double)q[start + i] * (double)dq[start + i];
    }
    for (size_t i = 0; i < columns; i++) {
      sums[i] -= (double)k[t * k_stride + i] * (double)dk[t * k_stride + i];
      dg[t * k_stride + i] = (float)sums[i];
    }
  }
}

static void CK(column_products)(const float *restrict a, const float *restrict b, size_t rows,
                                size_t columns, double factor, double *restrict sums) {
  for (size_t i = 0; i < columns; i++) sums[i] = 0;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < columns; i++)
      sums[i] += (double)a[r * columns + i] * (double)b[r * columns + i];
  for (size_t i = 0; i < columns; i++) sums[i] *= factor;
}
