static void ck(relu_backward)(const float *z, const float *dy, float *dz, size_t n) {
  for (size_t i = 0; i < n; i++) dz[i] = z[i] > 0 ? dy[i] : 0;
}

// sigmoid(-z) = 1 / (1 + exp(z)): for large z exp overflows to infinity and the quotient is 0; for
// small ones it is 1. No difference of close numbers is formed.
CK_INLINE vf ck(log_sigmoid_slope)(vf z, vf dg, float factor) {
  return dg * factor / (1.0f + ck(exp)(z));
}

static void ck(log_sigmoid_backward)(const float *z, const float *dg, float factor, float *dz,
                                     size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    ck(store)(dz + i, ck(log_sigmoid_slope)(ck(load)(z + i), ck(load)(dg + i), factor));
  if (i < n)
    ck(store_some)(dz + i, n - i,
                   ck(log_sigmoid_slope)(ck(load_some)(z + i, n - i, 0),
                                         ck(load_some)(dg + i, n - i, 0), factor));
}

// silu'(x) = s (1 + x (1 - s)) with s = sigmoid(x). For small x exp overflows and s is 0.
CK_INLINE void ck(swiglu_slopes)(vf x, vf up, vf dy, vf *dgate, vf *dup) {
  vf s = 1.0f / (1.0f + ck(exp)(-x));
  *dgate = dy * up * (s * (1.0f + x * (1.0f - s)));
  *dup = dy * (x * s);
}

static void ck(swiglu_backward)(const float *gate, const float *up, const float *dy, float *dgate,
                                float *dup, size_t n) {
  vf a, b;
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    ck(swiglu_slopes)(ck(load)(gate + i), ck(load)(up + i), ck(load)(dy + i), &a, &b);
    ck(store)(dgate + i, a);
    ck(store)(dup + i, b);
  }
  size_t rest = n - i;
  if (rest == 0) return;
  ck(swiglu_slopes)(ck(load_some)(gate + i, rest, 0), ck(load_some)(up + i, rest, 0),
                    ck(load_some)(dy + i, rest, 0), &a, &b);
  ck(store_some)(dgate + i, rest, a);
  ck(store_some)(dup + i, rest, b);
}

// s and t: logits less their maxima; see ck_divergence_backward. A logit of -infinity on both sides
// is no difference. Two products and then their difference, not fused: equal rows give exactly 0.
CK_INLINE vf ck(divergence_lanes)(vf s, vf t, float student_factor, float teacher_factor,
                                  vd *total) {
  vf p = ck(exp)(t);
  *total += __builtin_convertvector(ck(select)(p > 0.0f, p * (t - s), (vf){}), vd);
  vf student = ck(exp)(s) * student_factor;
  vf teacher = p * teacher_factor;
  return student - teacher;
}

static double ck(divergence_backward)(float *student, const float *teacher, float student_max,
                                      float teacher_max, float student_factor, float teacher_factor,
                                      size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    ck(store)(student + i, ck(divergence_lanes)(ck(load)(student + i) - student_max,
                                                ck(load)(teacher + i) - teacher_max, student_factor,
                                                teacher_factor, &total));
  if (i < n)
    ck(store_some)(
        student + i, n - i,
        ck(divergence_lanes)(ck(load_some)(student + i, n - i, student_max) - student_max,
                             ck(load_some)(teacher + i, n - i, -__builtin_inff()) - teacher_max,
                             student_factor, teacher_factor, &total));
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

static void ck(add_to_doubles)(const float *restrict x, double *restrict sums, size_t n) {
  for (size_t i = 0; i < n; i++) sums[i] += (double)x[i];
}

static double ck(sum_squares)(const float *x, size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vd lanes = __builtin_convertvector(ck(load)(x + i), vd);
    total += lanes * lanes;
  }
  if (i < n) {
    vd lanes = __builtin_convertvector(ck(load_some)(x + i, n - i, 0), vd);
    total += lanes * lanes;
  }
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

// With f = 1 / rms(x): dx = f · weight · dy - f³ / n · (x · (weight dy)) · x.
static void ck(rms_norm_backward)(const float *x, const float *weight, const float *dy,
                                  float epsilon, float *dx, double *sums, size_t n) {
  vf squares[2] = {}, products[2] = {};
  size_t i = 0;
  for (; i + 2 * CK_LANES <= n; i += 2 * CK_LANES) {
    vf p = ck(load)(x + i), q = ck(load)(x + i + 16);
    squares[0] = squares[0] + p * p;
    squares[1] = squares[1] + q * q;
    products[0] = products[0] + p * (ck(load)(weight + i) * ck(load)(dy + i));
    products[1] = products[1] + q * (ck(load)(weight + i + 16) * ck(load)(dy + i + 16));
  }
  for (; i < n; i += CK_LANES) {
    size_t count = n - i < CK_LANES ? n - i : CK_LANES;
    vf p = ck(load_some)(x + i, count, 0);
    squares[0] = squares[0] + p * p;
    products[0] =
        products[0] + p * (ck(load_some)(weight + i, count, 0) * ck(load_some)(dy + i, count, 0));
  }
  float size = (float)n;
  float factor = 1.0f / __builtin_sqrtf(ck(sum)(squares[0] + squares[1]) / size + epsilon);
  float pull = factor * factor * factor / size * ck(sum)(products[0] + products[1]);
  if (sums)
    for (i = 0; i < n; i++) sums[i] += (double)(dy[i] * (x[i] * factor));
  for (i = 0; i < n; i++) dx[i] = factor * weight[i] * dy[i] - pull * x[i];
}

CK_INLINE void ck(adam_lanes)(const ck_adam_step *s, vf g, vf pull, vf *m, vf *v, vf *w) {
  g = g * s->gradient_factor;
  *m = *m * s->beta1 + g * (1.0f - s->beta1);
  *v = *v * s->beta2 + g * g * (1.0f - s->beta2);
  vf root = ck(sqrt)(*v * s->second_correction);
  *w = *w - (*m * s->rate / (root + s->epsilon) + pull * s->decay);
}

static void ck(adam)(const ck_adam_step *s, const float *gradient, const float *prior, float *m,
                     float *v, float *w, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vf a = ck(load)(m + i), b = ck(load)(v + i), c = ck(load)(w + i);
    vf pull = prior ? c - ck(load)(prior + i) : c;
    ck(adam_lanes)(s, ck(load)(gradient + i), pull, &a, &b, &c);
    ck(store)(m + i, a);
    ck(store)(v + i, b);
    ck(store)(w + i, c);
  }
  size_t rest = n - i;
  if (rest == 0) return;
  vf a = ck(load_some)(m + i, rest, 0), b = ck(load_some)(v + i, rest, 0);
  vf c = ck(load_some)(w + i, rest, 0);
  vf pull = prior ? c - ck(load_some)(prior + i, rest, 0) : c;
  ck(adam_lanes)(s, ck(load_some)(gradient + i, rest, 0), pull, &a, &b, &c);
  ck(store_some)(m + i, rest, a);
  ck(store_some)(v + i, rest, b);
  ck(store_some)(w + i, rest, c);
}
