static void CK(relu_backward)(const float *z, const float *dy, float *dz, size_t n) {
  for (size_t i = 0; i < n; i++) dz[i] = z[i] > 0 ? dy[i] : 0;
}

// sigmoid(-z) = 1 / (1 + exp(z)): for large z exp overflows to infinity and the quotient is 0; for
// small ones it is 1. No difference of close numbers is formed.
CK_INLINE vf CK(log_sigmoid_slope)(vf z, vf dg, float factor) {
  return dg * factor / (1.0f + CK(exp)(z));
}

static void CK(log_sigmoid_backward)(const float *z, const float *dg, float factor, float *dz,
                                     size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    CK(store)(dz + i, CK(log_sigmoid_slope)(CK(load)(z + i), CK(load)(dg + i), factor));
  if (i < n)
    CK(store_some)(dz + i, n - i,
                   CK(log_sigmoid_slope)(CK(load_some)(z + i, n - i, 0),
                                         CK(load_some)(dg + i, n - i, 0), factor));
}

// silu'(x) = s (1 + x (1 - s)) with s = sigmoid(x). For small x exp overflows and s is 0.
CK_INLINE void CK(swiglu_slopes)(vf x, vf up, vf dy, vf *dgate, vf *dup) {
  vf s = 1.0f / (1.0f + CK(exp)(-x));
  *dgate = dy * up * (s * (1.0f + x * (1.0f - s)));
  *dup = dy * (x * s);
}

static void CK(swiglu_backward)(const float *gate, const float *up, const float *dy, float *dgate,
                                float *dup, size_t n) {
  vf a, b;
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    CK(swiglu_slopes)(CK(load)(gate + i), CK(load)(up + i), CK(load)(dy + i), &a, &b);
    CK(store)(dgate + i, a);
    CK(store)(dup + i, b);
  }
  size_t rest = n - i;
  if (rest == 0) return;
  CK(swiglu_slopes)(CK(load_some)(gate + i, rest, 0), CK(load_some)(up + i, rest, 0),
                    CK(load_some)(dy + i, rest, 0), &a, &b);
  CK(store_some)(dgate + i, rest, a);
  CK(store_some)(dup + i, rest, b);
}

// s and t: logits less their maxima; see ck_divergence_backward. A logit of -infinity on both sides
// is no difference. Two products and then their difference, not fused: equal rows give exactly 0.
CK_INLINE vf CK(divergence_lanes)(vf s, vf t, float student_factor, float teacher_factor,
                                  vd *total) {
  vf p = CK(exp)(t);
  *total += __builtin_convertvector(CK(select)(p > 0.0f, p * (t - s), (vf){}), vd);
  vf student = CK(exp)(s) * student_factor;
  vf teacher = p * teacher_factor;
  return student - teacher;
}

static double CK(divergence_backward)(float *student, const float *teacher, float student_max,
                                      float teacher_max, float student_factor,
                                      float teacher_factor, size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES)
    CK(store)(student + i, CK(divergence_lanes)(CK(load)(student + i) - student_max,
                                                CK(load)(teacher + i) - teacher_max,
                                                student_factor, teacher_factor, &total));
  if (i < n)
    CK(store_some)(student + i, n - i,
                   CK(divergence_lanes)(
                       CK(load_some)(student + i, n - i, student_max) - student_max,
                       CK(load_some)(teacher + i, n - i, -__builtin_inff()) - teacher_max,
                       student_factor, teacher_factor, &total));
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

static void CK(add_to_doubles)(const float *restrict x, double *restrict sums, size_t n) {
  for (size_t i = 0; i < n; i++) sums[i] += (double)x[i];
}

static double CK(sum_squares)(const float *x, size_t n) {
  vd total = {};
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vd lanes = __builtin_convertvector(CK(load)(x + i), vd);
    total += lanes * lanes;
  }
  if (i < n) {
    vd lanes = __builtin_convertvector(CK(load_some)(x + i, n - i, 0), vd);
    total += lanes * lanes;
  }
  double sum = 0;
  for (int lane = 0; lane < CK_LANES; lane++) sum += total[lane];
  return sum;
}

// With f = 1 / rms(x): dx = f · weight · dy - f³ / n · (x · (weight dy)) · x.
static void CK(rms_norm_backward)(const float *x, const float *weight, const float *dy,
                                  float epsilon, float *dx, double *sums, size_t n) {
  vf squares[2] = {}, products[2] = {};
  size_t i = 0;
  for (; i + 2 * CK_LANES <= n; i += 2 * CK_LANES) {
    vf p = CK(load)(x + i), q = CK(load)(x + i + 16);
    squares[0] = squares[0] + p * p;
    squares[1] = squares[1] + q * q;
    products[0] = products[0] + p * (CK(load)(weight + i) * CK(load)(dy + i));
    products[1] = products[1] + q * (CK(load)(weight + i + 16) * CK(load)(dy + i + 16));
  }
  for (; i < n; i += CK_LANES) {
    size_t count = n - i < CK_LANES ? n - i : CK_LANES;
    vf p = CK(load_some)(x + i, count, 0);
    squares[0] = squares[0] + p * p;
    products[0] = products[0] + p * (CK(load_some)(weight + i, count, 0) *
                                     CK(load_some)(dy + i, count, 0));
  }
  float size = (float)n;
  float factor =
      1.0f / __builtin_sqrtf(CK(sum)(squares[0] + squares[1]) / size + epsilon);
  float pull = factor * factor * factor / size * CK(sum)(products[0] + products[1]);
  if (sums)
    for (i = 0; i < n; i++) sums[i] += (double)(dy[i] * (x[i] * factor));
  for (i = 0; i < n; i++) dx[i] = factor * weight[i] * dy[i] - pull * x[i];
}

CK_INLINE void CK(adam_lanes)(const ck_adam_step *s, vf g, vf pull, vf *m, vf *v, vf *w) {
  g = g * s->gradient_factor;
  *m = *m * s->beta1 + g * (1.0f - s->beta1);
  *v = *v * s->beta2 + g * g * (1.0f - s->beta2);
  vf root = __builtin_elementwise_sqrt(*v * s->second_correction);
  *w = *w - (*m * s->rate / (root + s->epsilon) + pull * s->decay);
}

static void CK(adam)(const ck_adam_step *s, const float *gradient, const float *prior, float *m,
                     float *v, float *w, size_t n) {
  size_t i = 0;
  for (; i + CK_LANES <= n; i += CK_LANES) {
    vf a = CK(load)(m + i), b = CK(load)(v + i), c = CK(load)(w + i);
    vf pull = prior ? c - CK(load)(prior + i) : c;
    CK(adam_lanes)(s, CK(load)(gradient + i), pull, &a, &b, &c);
    CK(store)(m + i, a);
    CK(store)(v + i, b);
    CK(store)(w + i, c);
  }
  size_t rest = n - i;
  if (rest == 0) return;
  vf a = CK(load_some)(m + i, rest, 0), b = CK(load_some)(v + i, rest, 0);
  vf c = CK(load_some)(w + i, rest, 0);
  vf pull = prior ? c - CK(load_some)(prior + i, rest, 0) : c;
  CK(adam_lanes)(s, CK(load_some)(gradient + i, rest, 0), pull, &a, &b, &c);
  CK(store_some)(m + i, rest, a);
  CK(store_some)(v + i, rest, b);
  CK(store_some)(w + i, rest, c);
}
