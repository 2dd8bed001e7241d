// The recurrence of gated linear attention. 16 value channels of the state of N tokens are updated
// and read in registers for G query heads at once: per key channel one load and one store of the
// state, N · (2 + G) vector operations, and no horizontal sums.
//
// The same loops give the queries' gradient: with S transposed, its rows are value channels, its
// lanes key channels, and the decay belongs to the lanes.

typedef struct {
  size_t rows;
  float scale;
  const float *q;
  size_t q_stride;
  const float *k;
  size_t k_stride;
  const float *v;
  size_t v_stride;
  const float *decay;  // exp g [N, decay_stride], of rows or of lanes
  size_t decay_stride;
  int lane_decay;
  float *state;
  size_t state_stride;
  float *o;
  size_t o_stride, o_head_stride;
} CK(gla_block);

// N tokens, G heads, `lanes` value channels. `keep` writes the new state back; it is false while
// further heads of the group still need the old one.
CK_INLINE void CK(gla_tile)(const int N, const int G, const int lane_decay,
                            const CK(gla_block) * b, size_t lanes, int keep) {
  const int full = lanes == CK_LANES;
  vf acc[4][8], v[4], decay[4];
#pragma clang loop unroll(full)
  for (int t = 0; t < N; t++) {
    v[t] = full ? CK(load)(b->v + (size_t)t * b->v_stride)
                : CK(load_some)(b->v + (size_t)t * b->v_stride, lanes, 0);
    if (lane_decay)
      decay[t] = full ? CK(load)(b->decay + (size_t)t * b->decay_stride)
                      : CK(load_some)(b->decay + (size_t)t * b->decay_stride, lanes, 0);
#pragma clang loop unroll(full)
    for (int h = 0; h < G; h++) acc[t][h] = (vf){};
  }
  for (size_t c = 0; c < b->rows; c++) {
    float *row = b->state + c * b->state_stride;
    vf s = full ? CK(load)(row) : CK(load_some)(row, lanes, 0);
#pragma clang loop unroll(full)
    for (int t = 0; t < N; t++) {
      // Only one operation of the sum waits for the old state.
      vf added = b->k[(size_t)t * b->k_stride + c] * v[t];
      s = lane_decay ? s * decay[t] + added
                     : s * b->decay[(size_t)t * b->decay_stride + c] + added;
#pragma clang loop unroll(full)
      for (int h = 0; h < G; h++)
        acc[t][h] =
            acc[t][h] + b->q[(size_t)t * b->q_stride + (size_t)h * b->rows + c] * s;
    }
    if (!keep) continue;
    if (full) CK(store)(row, s);
    else CK(store_some)(row, lanes, s);
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < N; t++) {
#pragma clang loop unroll(full)
    for (int h = 0; h < G; h++) {
      float *o = b->o + (size_t)t * b->o_stride + (size_t)h * b->o_head_stride;
      if (full) CK(store)(o, acc[t][h] * b->scale);
      else CK(store_some)(o, lanes, acc[t][h] * b->scale);
    }
  }
}

#define CK_CASE(N, G)                                       \
  case G:                                                   \
    if (b->lane_decay) CK(gla_tile)(N, G, 1, b, lanes, keep); \
    else CK(gla_tile)(N, G, 0, b, lanes, keep);             \
    break;

static void CK(gla_four)(int group, const CK(gla_block) * b, size_t lanes, int keep) {
  switch (group) { CK_CASE(4, 1) CK_CASE(4, 2) CK_CASE(4, 3) CK_CASE(4, 4) }
}

static void CK(gla_two)(int group, const CK(gla_block) * b, size_t lanes, int keep) {
  switch (group) {
    CK_CASE(2, 1) CK_CASE(2, 2) CK_CASE(2, 3) CK_CASE(2, 4)
    CK_CASE(2, 5) CK_CASE(2, 6) CK_CASE(2, 7) CK_CASE(2, 8)
  }
}

static void CK(gla_one)(int group, const CK(gla_block) * b, size_t lanes, int keep) {
  switch (group) {
    CK_CASE(1, 1) CK_CASE(1, 2) CK_CASE(1, 3) CK_CASE(1, 4)
    CK_CASE(1, 5) CK_CASE(1, 6) CK_CASE(1, 7) CK_CASE(1, 8)
  }
}
#undef CK_CASE

// One panel of up to 16 value channels, `tokens` tokens; b describes the first token and head.
CK_INLINE void CK(gla_panel)(CK(gla_block) b, size_t tokens, size_t group, size_t lanes) {
  // Accumulators (tokens · heads) must fit the registers: 32 of 16 lanes, or 8 (AVX2, generic).
#if CK_ISA == CK_AVX512
  const size_t heads_at_once = 8, step = group <= 4 ? 4 : 2;
#else
  const size_t heads_at_once = 4, step = group == 1 ? 4 : group == 2 ? 2 : 1;
#endif
  for (size_t t = 0; t < tokens;) {
    size_t n = tokens - t >= step ? step : 1;
    for (size_t h = 0; h < group; h += heads_at_once) {
      size_t heads = group - h < heads_at_once ? group - h : heads_at_once;
      CK(gla_block) part = b;
      part.q += h * b.rows;
      part.o += h * b.o_head_stride;
      int last = h + heads == group;
      if (n == 4) CK(gla_four)((int)heads, &part, lanes, last);
      else if (n == 2) CK(gla_two)((int)heads, &part, lanes, last);
      else CK(gla_one)((int)heads, &part, lanes, last);
    }
    b.q += n * b.q_stride;
    b.k += n * b.k_stride;
    b.v += n * b.v_stride;
    b.o += n * b.o_stride;
    b.decay += n * b.decay_stride;
    t += n;
  }
}

static void CK(gla_recurrent)(size_t tokens, size_t group, size_t rows, size_t columns,
                              float scale, const float *q, size_t q_stride, const float *k,
                              size_t k_stride, const float *v, size_t v_stride, const float *g,
                              size_t g_stride, int lane_decay, float *state, size_t state_stride,
                              float *o, size_t o_stride, size_t o_head_stride, float *scratch) {
  size_t width = lane_decay ? columns : rows;
  for (size_t t = 0; t < tokens; t += CK_GLA_CHUNK) {
    size_t n = tokens - t < CK_GLA_CHUNK ? tokens - t : CK_GLA_CHUNK;
    for (size_t i = 0; i < n; i++)
      CK(exp_map)(g + (t + i) * g_stride, scratch + i * width, width);
    for (size_t column = 0; column < columns; column += CK_LANES) {
      size_t lanes = columns - column < CK_LANES ? columns - column : CK_LANES;
      CK(gla_block) b = {
          .rows = rows, .scale = scale, .q = q + t * q_stride, .q_stride = q_stride,
          .k = k + t * k_stride, .k_stride = k_stride, .v = v + t * v_stride + column,
          .v_stride = v_stride, .decay = scratch + (lane_decay ? column : 0),
          .decay_stride = width, .lane_decay = lane_decay, .state = state + column,
          .state_stride = state_stride, .o = o + t * o_stride + column, .o_stride = o_stride,
          .o_head_stride = o_head_stride,
      };
      CK(gla_panel)(b, n, group, lanes);
    }
  }
}
