// The recurrence of gated linear attention, run backwards for the gradient of its state. As in the
// forward direction 16 lanes of the state of N tokens stay in registers per row: one load and one
// store, N · (2 + G) vector operations, no horizontal sums.

// N tokens from the last to the first, G heads, `lanes` channels. When a group has more heads than
// registers hold, the first of its parts decays the state and the last one reads it.
CK_INLINE void ck(gla_adjoint_tile)(const int N, const int G, const int lane_decay,
                                    const gla_block *p, size_t lanes, const int first,
                                    const int last) {
  const int full = lanes == CK_LANES;
  vf b[4][8], decay[4], acc[4];
  CK_EACH(t, N) {
    CK_EACH(h, G) {
      const float *source =
          p->run.b + (size_t)t * p->run.b_stride + (size_t)h * p->run.b_head_stride;
      b[t][h] = full ? ck(load)(source) : ck(load_some)(source, lanes, 0);
    }
    if (lane_decay)
      decay[t] = full ? ck(load)(p->decay + (size_t)t * p->decay_stride)
                      : ck(load_some)(p->decay + (size_t)t * p->decay_stride, lanes, 0);
    acc[t] = (vf){};
  }
  for (size_t i = 0; i < p->run.rows; i++) {
    float *row = p->run.state + i * p->run.state_stride;
    vf r = full ? ck(load)(row) : ck(load_some)(row, lanes, 0);
    CK_UNROLL
    for (int t = N - 1; t >= 0; t--) {
      const float *a = p->run.a + (size_t)t * p->run.a_stride + i;
      // Only one operation of the sum waits for the old state.
      vf added = a[0] * b[t][0];
      CK_UNROLL
      for (int h = 1; h < G; h++) added = added + a[(size_t)h * p->run.rows] * b[t][h];
      if (!first) r = r + added;
      else if (lane_decay) r = r * decay[t] + added;
      else r = r * p->decay[(size_t)t * p->decay_stride + i] + added;
      if (last) acc[t] = acc[t] + p->run.c[(size_t)t * p->run.c_stride + i] * r;
    }
    if (full) ck(store)(row, r);
    else ck(store_some)(row, lanes, r);
  }
  if (!last) return;
  CK_EACH(t, N) {
    float *o = p->run.o + (size_t)t * p->run.o_stride;
    if (full) ck(store)(o, acc[t] * p->run.scale);
    else ck(store_some)(o, lanes, acc[t] * p->run.scale);
  }
}

CK_INLINE void ck(gla_adjoint_heads)(const int N, const int G, const gla_block *p, size_t lanes) {
  if (p->run.lane_decay) ck(gla_adjoint_tile)(N, G, 1, p, lanes, 1, 1);
  else ck(gla_adjoint_tile)(N, G, 0, p, lanes, 1, 1);
}

static void ck(gla_adjoint_four)(size_t group, const gla_block *p, size_t lanes) {
  switch (group) {
    case 1: return ck(gla_adjoint_heads)(4, 1, p, lanes);
    case 2: return ck(gla_adjoint_heads)(4, 2, p, lanes);
    case 3: return ck(gla_adjoint_heads)(4, 3, p, lanes);
    case 4: return ck(gla_adjoint_heads)(4, 4, p, lanes);
  }
}

static void ck(gla_adjoint_two)(size_t group, const gla_block *p, size_t lanes) {
  switch (group) {
    case 1: return ck(gla_adjoint_heads)(2, 1, p, lanes);
    case 2: return ck(gla_adjoint_heads)(2, 2, p, lanes);
    case 3: return ck(gla_adjoint_heads)(2, 3, p, lanes);
    case 4: return ck(gla_adjoint_heads)(2, 4, p, lanes);
    case 5: return ck(gla_adjoint_heads)(2, 5, p, lanes);
    case 6: return ck(gla_adjoint_heads)(2, 6, p, lanes);
    case 7: return ck(gla_adjoint_heads)(2, 7, p, lanes);
    case 8: return ck(gla_adjoint_heads)(2, 8, p, lanes);
  }
}

static void ck(gla_adjoint_one)(size_t group, const gla_block *p, size_t lanes) {
  switch (group) {
    case 1: return ck(gla_adjoint_heads)(1, 1, p, lanes);
    case 2: return ck(gla_adjoint_heads)(1, 2, p, lanes);
    case 3: return ck(gla_adjoint_heads)(1, 3, p, lanes);
    case 4: return ck(gla_adjoint_heads)(1, 4, p, lanes);
    case 5: return ck(gla_adjoint_heads)(1, 5, p, lanes);
    case 6: return ck(gla_adjoint_heads)(1, 6, p, lanes);
    case 7: return ck(gla_adjoint_heads)(1, 7, p, lanes);
    case 8: return ck(gla_adjoint_heads)(1, 8, p, lanes);
  }
}

// One token of a group of any size, one head at a time.
static void ck(gla_adjoint_any)(size_t group, const gla_block *p, size_t lanes) {
  gla_block part = *p;
  for (size_t h = 0; h < group; h++) {
    int first = h == 0, last = h + 1 == group;
    if (p->run.lane_decay) ck(gla_adjoint_tile)(1, 1, 1, &part, lanes, first, last);
    else ck(gla_adjoint_tile)(1, 1, 0, &part, lanes, first, last);
    part.run.a += p->run.rows;
    part.run.b += p->run.b_head_stride;
  }
}

// `tokens` tokens from the last to the first; p describes the first one.
CK_INLINE void ck(gla_adjoint_panel)(const gla_block *p, size_t tokens, size_t group,
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
    gla_block at = *p;
    at.run.a += left * p->run.a_stride;
    at.run.b += left * p->run.b_stride;
    at.run.c += left * p->run.c_stride;
    at.run.o += left * p->run.o_stride;
    at.decay += left * p->decay_stride;
    if (group > 8) ck(gla_adjoint_any)(group, &at, lanes);
    else if (n == 4) ck(gla_adjoint_four)(group, &at, lanes);
    else if (n == 2) ck(gla_adjoint_two)(group, &at, lanes);
    else ck(gla_adjoint_one)(group, &at, lanes);
  }
}

static void ck(gla_adjoint)(ck_gla_adjoint_run run) {
  const size_t width = run.lane_decay ? run.columns : run.rows;
  float *const scratch = run.scratch;
  for (size_t left = run.tokens; left > 0;) {
    size_t n = left < CK_GLA_CHUNK ? left : CK_GLA_CHUNK;
    left -= n;
    for (size_t i = 0; i < n; i++) {
      float *decay = scratch + i * width;
      if (left + i + 1 < run.tokens)
        ck(exp_map)(run.g + (left + i + 1) * run.g_stride, decay, width);
      else
        for (size_t c = 0; c < width; c++) decay[c] = 1;
    }
    for (size_t column = 0; column < run.columns; column += CK_LANES) {
      size_t lanes = run.columns - column < CK_LANES ? run.columns - column : CK_LANES;
      gla_block p = {run, scratch + (run.lane_decay ? column : 0), width};
      p.run.a += left * run.a_stride;
      p.run.b += left * run.b_stride + column;
      p.run.c += left * run.c_stride;
      p.run.state += column;
      p.run.o += left * run.o_stride + column;
      ck(gla_adjoint_panel)(&p, n, run.group, lanes);
    }
  }
  if (run.tokens == 0) return;
  ck(exp_map)(run.g, scratch, width);
  for (size_t r = 0; r < run.rows; r++) {
    float *row = run.state + r * run.state_stride;
    for (size_t c = 0; c < run.columns; c++) row[c] *= scratch[run.lane_decay ? c : r];
  }
}

static void ck(gla_decay_gradient)(ck_gla_decay_run run) {
  double *restrict sums = run.sums;
  for (size_t t = run.tokens; t-- > 0;) {
    for (size_t h = 0; h < run.group; h++) {
      size_t start = t * run.q_stride + h * run.q_head_stride;
      const float *restrict q = run.q + start, *restrict dq = run.dq + start;
      for (size_t i = 0; i < run.columns; i++) sums[i] += (double)q[i] * (double)dq[i];
    }
    const float *restrict k = run.k + t * run.k_stride, *restrict dk = run.dk + t * run.k_stride;
    float *restrict dg = run.dg + t * run.k_stride;
    for (size_t i = 0; i < run.columns; i++) {
      sums[i] -= (double)k[i] * (double)dk[i];
      dg[i] = (float)sums[i];
    }
  }
}

static void ck(column_products)(const float *restrict a, const float *restrict b, size_t rows,
                                size_t columns, double factor, double *restrict sums) {
  for (size_t i = 0; i < columns; i++) sums[i] = 0;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < columns; i++)
      sums[i] += (double)a[r * columns + i] * (double)b[r * columns + i];
  for (size_t i = 0; i < columns; i++) sums[i] *= factor;
}
