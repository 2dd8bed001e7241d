// The recurrence of gated linear attention. 16 value channels of the state of N tokens are updated
// and read in registers for G query heads at once: per key channel one load and one store of the
// state, N · (2 + G) vector operations, and no horizontal sums.
//
// The same loops give the queries' gradient: with S transposed, its rows are value channels, its
// lanes key channels, and the decay belongs to the lanes.

// N tokens, G heads, `lanes` value channels. `keep` writes the new state back; it is false while
// further heads of the group still need the old one.
CK_INLINE void ck(gla_tile)(const int N, const int G, const int lane_decay, const gla_block *b,
                            size_t lanes, int keep) {
  const int full = lanes == CK_LANES;
  vf acc[4][8], v[4], decay[4];
  CK_EACH(t, N) {
    v[t] = full ? ck(load)(b->run.v + (size_t)t * b->run.v_stride)
                : ck(load_some)(b->run.v + (size_t)t * b->run.v_stride, lanes, 0);
    if (lane_decay)
      decay[t] = full ? ck(load)(b->decay + (size_t)t * b->decay_stride)
                      : ck(load_some)(b->decay + (size_t)t * b->decay_stride, lanes, 0);
    CK_EACH(h, G) acc[t][h] = (vf){};
  }
  for (size_t c = 0; c < b->run.rows; c++) {
    float *row = b->run.state + c * b->run.state_stride;
    vf s = full ? ck(load)(row) : ck(load_some)(row, lanes, 0);
    CK_EACH(t, N) {
      // Only one operation of the sum waits for the old state.
      vf added = b->run.k[(size_t)t * b->run.k_stride + c] * v[t];
      s = lane_decay ? s * decay[t] + added : s * b->decay[(size_t)t * b->decay_stride + c] + added;
      CK_EACH(h, G)
        acc[t][h] =
            acc[t][h] + b->run.q[(size_t)t * b->run.q_stride + (size_t)h * b->run.rows + c] * s;
    }
    if (!keep) continue;
    if (full) ck(store)(row, s);
    else ck(store_some)(row, lanes, s);
  }
  CK_EACH(t, N) {
    CK_EACH(h, G) {
      float *o = b->run.o + (size_t)t * b->run.o_stride + (size_t)h * b->run.o_head_stride;
      if (full) ck(store)(o, acc[t][h] * b->run.scale);
      else ck(store_some)(o, lanes, acc[t][h] * b->run.scale);
    }
  }
}

CK_INLINE void ck(gla_heads)(const int N, const int G, const gla_block *b, size_t lanes, int keep) {
  if (b->run.lane_decay) ck(gla_tile)(N, G, 1, b, lanes, keep);
  else ck(gla_tile)(N, G, 0, b, lanes, keep);
}

static void ck(gla_four)(int group, const gla_block *b, size_t lanes, int keep) {
  switch (group) {
    case 1: return ck(gla_heads)(4, 1, b, lanes, keep);
    case 2: return ck(gla_heads)(4, 2, b, lanes, keep);
    case 3: return ck(gla_heads)(4, 3, b, lanes, keep);
    case 4: return ck(gla_heads)(4, 4, b, lanes, keep);
  }
}

static void ck(gla_two)(int group, const gla_block *b, size_t lanes, int keep) {
  switch (group) {
    case 1: return ck(gla_heads)(2, 1, b, lanes, keep);
    case 2: return ck(gla_heads)(2, 2, b, lanes, keep);
    case 3: return ck(gla_heads)(2, 3, b, lanes, keep);
    case 4: return ck(gla_heads)(2, 4, b, lanes, keep);
    case 5: return ck(gla_heads)(2, 5, b, lanes, keep);
    case 6: return ck(gla_heads)(2, 6, b, lanes, keep);
    case 7: return ck(gla_heads)(2, 7, b, lanes, keep);
    case 8: return ck(gla_heads)(2, 8, b, lanes, keep);
  }
}

static void ck(gla_one)(int group, const gla_block *b, size_t lanes, int keep) {
  switch (group) {
    case 1: return ck(gla_heads)(1, 1, b, lanes, keep);
    case 2: return ck(gla_heads)(1, 2, b, lanes, keep);
    case 3: return ck(gla_heads)(1, 3, b, lanes, keep);
    case 4: return ck(gla_heads)(1, 4, b, lanes, keep);
    case 5: return ck(gla_heads)(1, 5, b, lanes, keep);
    case 6: return ck(gla_heads)(1, 6, b, lanes, keep);
    case 7: return ck(gla_heads)(1, 7, b, lanes, keep);
    case 8: return ck(gla_heads)(1, 8, b, lanes, keep);
  }
}

// One panel of up to 16 value channels, `tokens` tokens; b describes the first token and head.
CK_INLINE void ck(gla_panel)(gla_block b, size_t tokens, size_t group, size_t lanes) {
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
      gla_block part = b;
      part.run.q += h * b.run.rows;
      part.run.o += h * b.run.o_head_stride;
      int last = h + heads == group;
      if (n == 4) ck(gla_four)((int)heads, &part, lanes, last);
      else if (n == 2) ck(gla_two)((int)heads, &part, lanes, last);
      else ck(gla_one)((int)heads, &part, lanes, last);
    }
    b.run.q += n * b.run.q_stride;
    b.run.k += n * b.run.k_stride;
    b.run.v += n * b.run.v_stride;
    b.run.o += n * b.run.o_stride;
    b.decay += n * b.decay_stride;
    t += n;
  }
}

static void ck(gla_recurrent)(ck_gla_run run) {
  const size_t width = run.lane_decay ? run.columns : run.rows;
  for (size_t t = 0; t < run.tokens; t += CK_GLA_CHUNK) {
    size_t n = run.tokens - t < CK_GLA_CHUNK ? run.tokens - t : CK_GLA_CHUNK;
    for (size_t i = 0; i < n; i++)
      ck(exp_map)(run.g + (t + i) * run.g_stride, run.scratch + i * width, width);
    for (size_t column = 0; column < run.columns; column += CK_LANES) {
      size_t lanes = run.columns - column < CK_LANES ? run.columns - column : CK_LANES;
      gla_block b = {run, run.scratch + (run.lane_decay ? column : 0), width};
      b.run.q += t * run.q_stride;
      b.run.k += t * run.k_stride;
      b.run.v += t * run.v_stride + column;
      b.run.state += column;
      b.run.o += t * run.o_stride + column;
      ck(gla_panel)(b, n, run.group, lanes);
    }
  }
}
