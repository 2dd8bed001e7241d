#include "attention.h"

#define CK_TEMPLATE "../attention/attention_template.h"
#include "../support/variants.h"

void ck_softmax_tile(ck_isa isa, ck_score_tile tile, const int *low, const int *high,
                     ck_softmax_state state) {
  CK_DISPATCH(softmax_tile, tile, low, high, state);
}

void ck_attend(ck_isa isa, ck_attention call, ck_softmax_state state, float *scores) {
  CK_DISPATCH(attend, call, state, scores);
}
