"""Every field of the source configurations, changed one at a time: Tests/Fixtures/fields.

For each architecture one small file of random weights, and ARCHITECTURE.json: what is changed in config.json, and
either the number of the logits that `transformers` computes then, or that the program must refuse, naming the key.
Fields of the configuration classes without a variant are an error here, so that none is forgotten.

    .venv/bin/python make_field_fixtures.py
"""
import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

FIXTURES = Path(__file__).resolve().parent.parent / "Fixtures/fields"
TOKENS = [(7 * n * n + 5 * n + 3) % 32 for n in range(12)]

COMMON = dict(vocab_size=32, hidden_size=32, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=1000.0)
# config.json of each architecture that all variants start from.
BASES = {
    "llama": dict(COMMON),
    "mistral": dict(COMMON, sliding_window=4),
    "qwen2": dict(COMMON, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "qwen3": dict(COMMON, head_dim=8, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "phi3": dict(COMMON, sliding_window=4, pad_token_id=0),
    "gemma2": dict(COMMON, head_dim=8, query_pre_attn_scalar=6, sliding_window=4, attn_logit_softcapping=3.0,
                   final_logit_softcapping=5.0),
    "olmo2": dict(COMMON),
    "granite": dict(COMMON, embedding_multiplier=0.5, residual_multiplier=0.4, attention_multiplier=0.2,
                    logits_scaling=2.5),
    "gemma3_text": dict(COMMON, head_dim=8, query_pre_attn_scalar=6, sliding_window=4, final_logit_softcapping=5.0,
                        sliding_window_pattern=2, rope_local_base_freq=50.0),
    "qwen3_moe": dict(COMMON, head_dim=8, moe_intermediate_size=12, num_experts=4, num_experts_per_tok=2,
                      norm_topk_prob=True, mlp_only_layers=[0], use_sliding_window=False),
    "mixtral": dict(COMMON, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=4),
    "olmoe": dict(COMMON, num_experts=4, num_experts_per_tok=2),
    "smollm3": dict(COMMON, pad_token_id=0, no_rope_layers=[1, 0], use_sliding_window=True, sliding_window=4),
    "olmo3": dict(COMMON, rope_theta=500000.0, sliding_window=4, layer_types=["sliding_attention", "full_attention"]),
    "ministral": dict(COMMON, head_dim=8, sliding_window=4, layer_types=["sliding_attention", "full_attention"]),
    "ministral3": dict({key: value for key, value in COMMON.items() if key != "rope_theta"}, head_dim=8,
                       rope_parameters={
                           "rope_type": "yarn", "rope_theta": 1000.0, "factor": 16.0, "mscale": 1.0,
                           "mscale_all_dim": 0.5, "original_max_position_embeddings": 16,
                           "llama_4_scaling_beta": 0.1}),
    "seed_oss": dict(COMMON, head_dim=8, attention_out_bias=True),
}

ABSENT = "<absent>"
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LONG = {"rope_type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 3.0, 4.0, 5.0]}
QWEN, FULL = ("qwen2", "qwen3"), ("llama", "olmo2", "granite", "olmoe", "seed_oss")
ALL_WINDOWED, GEMMA = ("mistral", "phi3", "mixtral"), ("gemma2", "gemma3_text")
# With layer_types, and a window that some of them need.
SLIDING = ("gemma2", "gemma3_text", "olmo3", "ministral")
BY_LAYER = SLIDING + ("smollm3",)
WINDOWED = QWEN + ALL_WINDOWED + BY_LAYER
EXPERTS = ("qwen3_moe", "mixtral", "olmoe")
# Rotary embeddings by kinds of layers, or with keys of their own.
BY_KIND = ("gemma3_text", "olmo3")
SPECIAL_ROTARY = BY_KIND + ("ministral3",)
# With head_dim, and norms of each head.
HEAD_DIM = ("qwen3", "gemma2", "gemma3_text", "qwen3_moe", "mixtral", "ministral", "ministral3", "seed_oss")
HEAD_NORMS = ("qwen3", "gemma3_text", "qwen3_moe")
NO_BIASES = ("mistral", "phi3", "mixtral", "ministral", "ministral3")
# Keys that are decisive for some architectures, and foreign to the others.
OWN = {"gemma2": ("attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"),
       "gemma3_text": ("final_logit_softcapping", "query_pre_attn_scalar"),
       "granite": ("embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"),
       "smollm3": ("no_rope_layers",)}
OWN.update({name: ("num_experts", "num_local_experts", "num_experts_per_tok") for name in EXPERTS})


def besides(*architectures):
    return tuple(name for name in BASES if name not in architectures)


@dataclasses.dataclass
class Variant:
    """`key` is what a refusal must name; `changes` maps keys to values, or to ABSENT."""
    key: str
    changes: dict
    refused: bool = False
    only: tuple = tuple(BASES)


def one(key, *values, **settings):
    return [Variant(key, {key: value}, **settings) for value in values]


def no(key, *values, **settings):
    return one(key, *values, refused=True, **settings)


def rope(refused=False, key="rope_theta", only=tuple(BASES), **changes):
    return [Variant(key, changes, refused=refused, only=only)]


def shapes():
    return (
        no("vocab_size", 40, ABSENT) + no("hidden_size", 16, ABSENT) + no("intermediate_size", 32, ABSENT)
        + no("num_hidden_layers", 1, 3, ABSENT) + no("num_attention_heads", 2, 5, ABSENT)
        + no("num_key_value_heads", 4, 1, 3, None, ABSENT)
        + no("head_dim", 16, 4, 7) + one("head_dim", 8)
        + no("head_dim", ABSENT, only=("qwen3", "gemma2", "gemma3_text", "ministral3", "seed_oss"))
        + [Variant("head_dim", {"head_dim": 4, "num_attention_heads": 8, "num_key_value_heads": 4},
                   only=besides(*HEAD_NORMS)),
           Variant("num_attention_heads", {"num_attention_heads": 8, "num_key_value_heads": 4},
                   only=besides(*HEAD_DIM))]
        + no("attention_bias", True, only=besides("qwen2", "seed_oss", *NO_BIASES))
        + one("attention_bias", False, only=besides("seed_oss"))
        + one("attention_bias", True, only=("qwen2", "seed_oss") + NO_BIASES)
        + no("attention_bias", False, only=("seed_oss",)) + one("attention_bias", ABSENT, only=("seed_oss",))
        + one("attention_out_bias", True, only=("seed_oss",)) + no("attention_out_bias", False, ABSENT, only=("seed_oss",))
        + no("mlp_bias", True, only=("llama", "granite", "smollm3", "seed_oss")) + one("mlp_bias", False)
        # A stored head is used, whatever the key says.
        + one("tie_word_embeddings", True, False) + one("tie_word_embeddings", ABSENT, only=GEMMA + ("smollm3",)))


def numbers():
    return (
        one("rms_norm_eps", 1e-2, 1e-6, ABSENT) + no("rms_norm_eps", "small")
        + one("hidden_act", "silu", "swish", ABSENT)
        + no("hidden_act", "gelu", "relu", "gelu_pytorch_tanh", only=besides(*GEMMA))
        # Gemma reads the other key alone.
        + one("hidden_act", "gelu", "relu", only=GEMMA)
        + one("hidden_activation", "gelu", "silu", "swish", "gelu_pytorch_tanh", ABSENT, only=GEMMA)
        + no("hidden_activation", "relu", "gelu_new", "quick_gelu", 1, only=GEMMA)
        + one("max_position_embeddings", 8, 4096, ABSENT)
        + one("attention_dropout", 0.5) + one("initializer_range", 0.5)
        + one("resid_pdrop", 0.5, only=("phi3",)) + one("embd_pdrop", 0.5, only=("phi3",))
        + one("residual_dropout", 0.5, only=("seed_oss",)) + one("router_jitter_noise", 0.5, only=("mixtral",))
        + one("output_router_logits", True, only=EXPERTS) + one("router_aux_loss_coef", 0.5, only=EXPERTS)
        + one("use_cache", False) + one("pretraining_tp", 2)
        + one("pad_token_id", 3, None) + one("bos_token_id", 5, None) + one("eos_token_id", 7, [7, 8], None))


def factors():
    """Factors of scores, logits and layers, and soft caps."""
    caps, scalar = OWN["gemma2"][:2], OWN["gemma2"][2]
    return (
        [variant for key in caps for variant in one(key, 2.0, 50.0, None, ABSENT, only=("gemma2",))]
        + [variant for key in caps for variant in no(key, 0.0, -3.0, "high", only=("gemma2",))]
        # 8 is the number of a head's channels.
        + one(scalar, 8, 24, ABSENT, only=GEMMA) + no(scalar, 0, -6, "big", only=GEMMA)
        # Gemma 3 has the first key and no use for it.
        + no(caps[0], 2.0, only=("gemma3_text",)) + one(caps[0], None, only=("gemma3_text",))
        + one(caps[1], 2.0, 50.0, None, ABSENT, only=("gemma3_text",))
        + no(caps[1], 0.0, -3.0, "high", only=("gemma3_text",))
        + [variant for key in OWN["granite"] for variant in one(key, 1, 0.7, ABSENT, only=("granite",))]
        + [variant for key in OWN["granite"] for variant in no(key, 0, -1.0, "big", only=("granite",))])


def windows():
    rest = SLIDING + ("ministral3", "qwen3_moe")
    return (
        one("sliding_window", 3, only=WINDOWED + ("ministral3",)) + no("sliding_window", 4, only=FULL)
        + one("sliding_window", None, only=besides(*SLIDING)) + no("sliding_window", None, only=SLIDING)
        # 4096 in most of these classes.
        + one("sliding_window", ABSENT, only=WINDOWED)
        + no("sliding_window", "four", 0, only=WINDOWED + ("ministral3", "qwen3_moe"))
        + one("use_sliding_window", False, ABSENT, only=QWEN + ("smollm3", "qwen3_moe"))
        + one("use_sliding_window", False, only=FULL + SLIDING + ("ministral3",))
        + no("use_sliding_window", False, only=ALL_WINDOWED)
        + [Variant("sliding_window", {"use_sliding_window": True, "sliding_window": window}, only=("qwen3_moe",))
           for window in (3, None)]
        + one("max_window_layers", 0, 2, ABSENT, only=QWEN) + no("max_window_layers", "one", only=QWEN)
        + no("max_window_layers", 1, only=ALL_WINDOWED) + one("max_window_layers", 1, only=FULL + rest + ("smollm3",))
        + one("layer_types", ["sliding_attention", "full_attention"], ["full_attention"] * 2, None,
              only=QWEN + BY_LAYER)
        + one("layer_types", ["full_attention", "sliding_attention"], ["sliding_attention"] * 2, only=BY_LAYER)
        + one("layer_types", ["full_attention"] * 2, only=FULL + ("ministral3", "qwen3_moe"))
        + no("layer_types", ["sliding_attention", "full_attention"],
             only=FULL + ALL_WINDOWED + ("ministral3", "qwen3_moe"))
        + one("sliding_window_pattern", 1, 3, 6, ABSENT, only=("gemma3_text",))
        + no("sliding_window_pattern", 0, "two", only=("gemma3_text",))
        + one("_sliding_window_pattern", 3, only=("gemma3_text",))
        + no("layer_types", ["full_attention"], ["full_attention", "linear_attention"],
             ["full_attention", "chunked_attention"])
        + [Variant("layer_types", {"use_sliding_window": False, "layer_types": ["full_attention", "sliding_attention"]},
                   refused=True, only=QWEN + ("smollm3", "qwen3_moe"))])


def experts():
    """Routers and experts, and which layers have them."""
    per, two, every = "num_experts_per_tok", ("qwen3_moe", "olmoe"), ("qwen3_moe",)
    return (
        one("norm_topk_prob", True, False, only=EXPERTS) + one("norm_topk_prob", ABSENT, only=two)
        + no("norm_topk_prob", "yes", only=two)
        + one(per, 1, 2, 3, only=EXPERTS) + no(per, 5, 0, "two", only=EXPERTS) + no(per, ABSENT, only=two)
        + one(per, ABSENT, only=("mixtral",))
        + [Variant("num_experts", {key: value}, refused=True, only=two)
           for key, value in (("num_experts", 3), ("num_experts", 5), ("num_experts", 0), ("num_experts", ABSENT),
                              ("num_experts", "four"))]
        + no("num_local_experts", 3, only=EXPERTS) + no("num_local_experts", 5, 0, ABSENT, only=("mixtral",))
        + one("num_local_experts", 4, only=every) + one("num_experts", 4, only=EXPERTS)
        + [Variant("num_local_experts", {"num_experts": ABSENT, "num_local_experts": 4}, only=every)]
        + no("num_experts", 3, only=("mixtral",))
        + no("moe_intermediate_size", 24, 0, ABSENT, only=every)
        + one("decoder_sparse_step", 1, 2, ABSENT, only=every) + no("decoder_sparse_step", 3, 0, "two", only=every)
        + one("mlp_only_layers", [0], only=every) + no("mlp_only_layers", [1], [], [0, 1], None, ABSENT, only=every)
        + one("clip_qkv", None, only=("olmoe",)))


def unturned():
    """Layers that do not turn q and k."""
    key, only = "no_rope_layers", ("smollm3",)
    return (
        one(key, [0, 1], [1, 1], [0, 0], [1, 0, 1], None, ABSENT, only=only) + no(key, [1], [1, 2], "all", only=only)
        + one("no_rope_layer_interval", 1, 2, ABSENT, only=only) + no("no_rope_layer_interval", 0, "two", only=only)
        + [Variant("no_rope_layer_interval", {key: None, "no_rope_layer_interval": n}, only=only) for n in (1, 2, 3)])


def partial():
    """Channels that do not turn, which Phi-3 alone has: of 8."""
    key = "partial_rotary_factor"
    others = besides("phi3", *SPECIAL_ROTARY)
    turning = (
        one(key, 1.0, 1, None, only=others) + no(key, 0.5, only=others)
        + rope(key=key, rope_parameters={key: 0.5}, refused=True, only=others)
        + rope(key=key, rope_parameters={key: 1.0}, only=besides(*SPECIAL_ROTARY))
        + rope(key=key, partial_rotary_factor=0.5, rope_scaling={"type": "linear", "factor": 2.0}, refused=True,
               only=others))
    phi = (
        one(key, 1.0, 0.5, 0.75, 0.8) + no(key, 0, 0.1, 0.4, 1.5, "half")
        + rope(key=key, rope_parameters={key: 0.5}) + rope(key=key, rope_scaling={key: 0.5, "rope_theta": 50.0})
        + rope(key=key, rope_parameters={key: 0.5}, partial_rotary_factor=0.75)
        + rope(key=key, rope_parameters={"rope_theta": 50.0}, partial_rotary_factor=0.5)
        + rope(key=key, rope_scaling={"rope_type": "default"}, rope_parameters={key: 0.5})
        + rope(key=key, rope_scaling={"rope_type": "default"}, rope_parameters={key: 0.5}, partial_rotary_factor=0.75)
        + [Variant(key, {key: 0.5, "head_dim": 4, "num_attention_heads": 8, "num_key_value_heads": 4})]
        + rope(key=key, rope_parameters={key: 0.4}, refused=True)
        + rope(key=key, rope_parameters={key: "half"}, refused=True)
        # Our own form of scaling.
        + rope(key="rope_scaling", rope_scaling={"rope_type": "factors", "factors": [1.0] * 4}, refused=True))
    return turning + [dataclasses.replace(variant, only=("phi3",)) for variant in phi]


def scaling(variant):
    """The key of the rotary object of a variant when it scales positions, else None."""
    key = "rope_scaling" if variant.changes.get("rope_scaling") else "rope_parameters"
    found = variant.changes.get(key)
    kind = found.get("rope_type", found.get("type")) if isinstance(found, dict) else None
    return key if kind in ("linear", "llama3", "yarn", "dynamic") else None


def rotary():
    """What scales positions elsewhere is refused in Phi-3, but for LongRoPE."""
    return partial() + by_kind() + ministral() + [
        part for variant in positions() for part in (
            [dataclasses.replace(variant, only=besides("phi3", *SPECIAL_ROTARY)),
             Variant(scaling(variant), variant.changes, refused=True, only=("phi3",))]
            if scaling(variant)
            else [dataclasses.replace(variant, only=tuple(set(variant.only) - set(SPECIAL_ROTARY)))])]


def by_kind():
    """Objects for each kind of layers: a base of their own, scaling that counts for one."""
    full, sliding = "full_attention", "sliding_attention"

    def both(key, a, b, refused=False):
        return Variant(key, {"rope_parameters": {full: a, sliding: b}}, refused=refused)

    plain, linear = {"rope_type": "default", "rope_theta": 50.0}, {"rope_type": "linear", "factor": 2.0}
    variants = (
        one("rope_theta", ABSENT) + no("rope_theta", None, 0, -5.0, "big")
        + [both("rope_theta", plain, {"rope_type": "default", "rope_theta": 300.0}), both("factor", linear, plain),
           both("factor", plain, {**linear, "rope_theta": 300.0}), both("rope_type", {}, {}), both("rope_type", None, None),
           both("rope_type", {**YARN, "rope_theta": 50.0}, plain), both("rope_type", {"type": "linear", "factor": 4.0}, plain),
           both("rope_type", {"rope_type": "dynamic", "factor": 2.0}, plain),
           both("beta_fast", {**YARN, "beta_fast": 4.0, "beta_slow": 2.0, "attention_factor": 0.7}, plain),
           both("low_freq_factor", {**LLAMA3, "original_max_position_embeddings": 16}, plain),
           both("original_max_position_embeddings", {**YARN, "original_max_position_embeddings": None}, plain),
           both("stretch", {**plain, "stretch": 2.0}, plain, refused=True),
           both("factor", {"rope_type": "linear"}, plain, refused=True),
           both("truncate", {**YARN, "truncate": False}, plain, refused=True),
           both("rope_type", {"rope_type": "ntk"}, plain, refused=True),
           both("rope_theta", {"rope_type": "default", "rope_theta": "big"}, plain, refused=True)]
        + rope(key="factor", rope_scaling={"rope_type": "linear", "factor": 8.0})
        + rope(key="factor", rope_scaling=YARN) + rope(rope_scaling={}) + rope(rope_scaling=None)
        + rope(rope_scaling={"rope_type": "default", "rope_theta": 50.0})
        + rope(key="type", rope_scaling={"type": "linear", "factor": 8.0}, refused=True)
        + rope(key="rope_scaling", rope_scaling=linear, rope_parameters={full: plain}, refused=True)
        + rope(key="rope_type", rope_parameters={"rope_type": "default"}, refused=True)
        + rope(key="rope_theta", rope_parameters={full: plain, "rope_theta": 3.0}, refused=True)
        + rope(key="rope_parameters", rope_parameters=[50.0], refused=True)
        + one("original_max_position_embeddings", 16)
        + one("partial_rotary_factor", None) + no("partial_rotary_factor", 0.5)
        + [Variant("rotary embeddings", {
            "max_position_embeddings": 8, "rope_parameters": {full: {"rope_type": "dynamic", "factor": 2.0}}},
            refused=True)])
    variants = [variant for variant in variants
                if variant.changes != {"rope_parameters": {full: {**YARN, "original_max_position_embeddings": None},
                                                           sliding: plain}}]
    return (
        [dataclasses.replace(variant, only=BY_KIND) for variant in variants]
        + one("rope_theta", 50, 20000.0, only=("gemma3_text",)) + no("rope_theta", 50.0, only=("olmo3",))
        + [Variant("rope_theta", {"rope_theta": 50.0, "rope_parameters": {sliding: plain}}, only=BY_KIND)]
        + one("rope_local_base_freq", 20, 10000.0, ABSENT, only=("gemma3_text",))
        + no("rope_local_base_freq", None, 0, "big", only=("gemma3_text",)))


def ministral():
    """YaRN, and queries that grow with the position beyond its original length."""
    base = BASES["ministral3"]["rope_parameters"]

    def changed(key, value=ABSENT, refused=False, **more):
        found = {**base, key: value, **more}
        return Variant(key, {"rope_parameters": {k: v for k, v in found.items() if v != ABSENT}}, refused=refused)

    variants = [
        changed("llama_4_scaling_beta", 0.0), changed("llama_4_scaling_beta", 0.3), changed("factor", 4.0),
        changed("llama_4_scaling_beta", refused=True), changed("llama_4_scaling_beta", "much", refused=True),
        changed("factor", refused=True), changed("mscale", 2.0), changed("mscale_all_dim"), changed("mscale"),
        changed("attention_factor", 0.7), changed("beta_fast", 4.0), changed("beta_slow", 2.0), changed("truncate", False),
        changed("rope_theta", 50.0), changed("type", "yarn"), changed("max_position_embeddings", 64),
        changed("original_max_position_embeddings", 32), changed("rope_type", "linear", mscale=ABSENT, mscale_all_dim=ABSENT),
        changed("mscale", 1.0, rope_type="linear", refused=True),
        Variant("rotary embeddings", changed("original_max_position_embeddings", 8).changes, refused=True),
        changed("original_max_position_embeddings", 8, llama_4_scaling_beta=0.0)]
    return [dataclasses.replace(variant, only=("ministral3",)) for variant in (
        variants + one("rope_theta", 50.0) + one("rope_parameters", None, ABSENT)
        + no("rope_parameters", [50.0]) + rope(key="llama_4_scaling_beta", rope_parameters={}, refused=True)
        + one("original_max_position_embeddings", 32))]


def positions():
    both = {"rope_type": "linear", "factor": 2.0, "rope_theta": 300.0}
    return (
        one("rope_theta", 50, 20000.0, ABSENT) + no("rope_theta", None, 0, -5.0, "big")
        # Beside an object that does not hold it, in it, and in both.
        + rope(rope_parameters={"rope_type": "default"}) + rope(rope_parameters={}) + rope(rope_parameters=None)
        + rope(rope_scaling={"rope_type": "default"}) + rope(rope_scaling={}) + rope(rope_scaling=None)
        + rope(rope_parameters={"rope_type": "default", "rope_theta": 50.0})
        + rope(rope_parameters={"rope_theta": 50.0}, rope_theta=ABSENT)
        + rope(rope_scaling={"rope_type": "default", "rope_theta": 50.0})
        + rope(rope_scaling={"type": "default", "rope_theta": 50.0}, rope_theta=ABSENT)
        + rope(rope_scaling=both, rope_theta=ABSENT) + rope(rope_parameters=both)
        + rope(rope_scaling={"rope_type": "linear", "factor": 2.0},
               rope_parameters={"rope_type": "default", "rope_theta": 50.0}, rope_theta=ABSENT)
        + rope(rope_scaling={"rope_type": "linear", "factor": 2.0}, rope_parameters={"rope_theta": 50.0})
        + rope(rope_scaling={}, rope_parameters={"rope_theta": 50.0})
        + rope(rope_parameters={"rope_theta": None, "rope_type": "default"}, refused=True)
        + rope(rope_parameters={"rope_theta": "big"}, refused=True)
        # Types, and what else objects hold.
        + [Variant("factor", {name: {kind: "linear", "factor": factor}})
           for name in ("rope_scaling", "rope_parameters") for kind in ("type", "rope_type") for factor in (2, 4.0)]
        + rope(key="rope_type", rope_scaling={"type": "linear", "rope_type": "default", "factor": 1.0})
        + rope(key="rope_type", rope_parameters={"type": "default", "rope_type": "linear", "factor": 2.0})
        + rope(key="factor", rope_scaling={"type": "linear"}, refused=True)
        + rope(key="factor", rope_scaling={"type": "default", "factor": 2.0}, refused=True)
        + rope(key="factor", rope_scaling={"factor": 2.0}, refused=True)
        + [Variant("rope_scaling", {"rope_scaling": {"rope_type": kind, "factor": 2.0}}, refused=True)
           for kind in ("longrope", "su", "ntk", "proportional", "mrope")]
        + stretched()
        + rope(key="rope_scaling", rope_scaling="linear", refused=True)
        + rope(key="rope_parameters", rope_parameters=[1000.0], refused=True)
        + rope(key="mrope_section", rope_scaling={"type": "default", "mrope_section": [1, 1, 2]}, refused=True)
        + rope(key="attention_factor", rope_scaling={"type": "linear", "factor": 2.0, "attention_factor": 0.5},
               refused=True)
        + rope(key="stretch", rope_parameters={"rope_type": "default", "stretch": 2.0}, refused=True)
        # Objects by kinds of layers: these classes have one rotary embedding.
        + rope(key="full_attention", rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 50.0}},
               refused=True)
        + rope(key="sliding_attention", refused=True, rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}})
        # The context that Llama 3's ramp refers to.
        + [Variant("original_max_position_embeddings", changes) for changes in (
            {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 16}},
            {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 16, "rope_theta": 50.0}},
            {"rope_scaling": LLAMA3}, {"rope_scaling": LLAMA3, "max_position_embeddings": 16},
            {"rope_scaling": LLAMA3, "max_position_embeddings": ABSENT},
            {"rope_scaling": LLAMA3, "original_max_position_embeddings": 16},
            {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 32}, "original_max_position_embeddings": 16},
            {"original_max_position_embeddings": 16},
            {"rope_scaling": {"type": "linear", "factor": 2.0, "original_max_position_embeddings": 16}})]
        + [Variant(name, {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 16, name: value}})
           for name, value in (("factor", 2.0), ("low_freq_factor", 2.0), ("high_freq_factor", 8.0))]
        + [Variant(name, {"rope_scaling": {key: value for key, value in LLAMA3.items() if key != name}}, refused=True)
           for name in ("factor", "low_freq_factor", "high_freq_factor")]
        + [Variant(name, {"rope_scaling": {**LLAMA3, name: "much"}}, refused=True)
           for name in ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")])


def stretched():
    """YaRN, LongRoPE and dynamic scaling, which are new or the same for short texts alone."""
    def scaled(key, scaling, refused=False, only=besides("phi3"), **changes):
        return Variant(key, {"rope_scaling": scaling, **changes}, refused=refused, only=only)

    yarn = [
        scaled("factor", {"rope_type": "yarn", "factor": 2.0}), scaled("type", {"type": "yarn", "factor": 2.0}),
        scaled("factor", YARN), scaled("factor", {**YARN, "factor": 0.5}),
        scaled("rope_theta", {**YARN, "rope_theta": 50.0}), scaled("attention_factor", {**YARN, "attention_factor": 0.7}),
        scaled("beta_fast", {**YARN, "beta_fast": 4.0}), scaled("beta_slow", {**YARN, "beta_slow": 2.0}),
        scaled("beta_fast", {**YARN, "beta_fast": 1.0}), scaled("truncate", {**YARN, "truncate": False}),
        scaled("mscale", {**YARN, "mscale": 0.7}), scaled("mscale", {**YARN, "mscale": 0.7, "mscale_all_dim": 0.5}),
        scaled("original_max_position_embeddings", YARN, original_max_position_embeddings=32),
        scaled("factor", {"rope_type": "yarn"}, refused=True), scaled("factor", {**YARN, "factor": "much"}, refused=True),
        scaled("truncate", {**YARN, "truncate": 1}, refused=True), scaled("beta_fast", {**YARN, "beta_fast": "x"}, refused=True),
        scaled("attention_factor", {**YARN, "attention_factor": "x"}, refused=True),
        scaled("low_freq_factor", {**YARN, "low_freq_factor": 1.0}, refused=True)]
    dynamic = [
        scaled("factor", {"rope_type": "dynamic", "factor": 2.0}), scaled("factor", {"type": "dynamic", "factor": 4.0}),
        scaled("factor", {"rope_type": "dynamic"}, refused=True),
        scaled("rotary embeddings", {"rope_type": "dynamic", "factor": 2.0}, refused=True, max_position_embeddings=8)]
    every = tuple(BASES)
    long = [
        scaled("short_factor", LONG), scaled("factor", {**LONG, "factor": 8.0}, original_max_position_embeddings=16, only=every),
        scaled("original_max_position_embeddings", LONG, original_max_position_embeddings=16, only=every),
        scaled("original_max_position_embeddings", {**LONG, "original_max_position_embeddings": 16}),
        scaled("attention_factor", {**LONG, "attention_factor": 1.3}, original_max_position_embeddings=16, only=every),
        scaled("type", {**{k: v for k, v in LONG.items() if k != "rope_type"}, "type": "longrope"}, only=every),
        scaled("rotary embeddings", LONG, original_max_position_embeddings=8, refused=True, only=every),
        scaled("short_factor", {**LONG, "short_factor": [1.0]}, refused=True, only=every),
        scaled("short_factor", {k: v for k, v in LONG.items() if k != "short_factor"}, refused=True, only=every),
        scaled("long_factor", {k: v for k, v in LONG.items() if k != "long_factor"}, refused=True, only=every),
        scaled("long_factor", {**LONG, "long_factor": [1.0, 2.0, 3.0]}, refused=True, only=every)]
    return yarn + dynamic + long


def housekeeping():
    """What every configuration may have."""
    return (
        one("transformers_version", "4.40.0", None) + one("architectures", None, ABSENT)
        + one("dtype", "float16", "bfloat16") + one("torch_dtype", "float16")
        + one("output_hidden_states", True) + one("output_attentions", True) + one("return_dict", True)
        + one("chunk_size_feed_forward", 2)
        + one("id2label", {"0": "a"}) + one("label2id", {"a": 0}) + one("problem_type", "regression")
        + one("num_labels", 3) + one("name_or_path", "x") + one("_name_or_path", "x") + one("_commit_hash", "x")
        + one("attn_implementation", "eager") + one("_attn_implementation", "eager")
        + one("is_encoder_decoder", False) + no("is_encoder_decoder", True)
        + one("is_decoder", True) + one("add_cross_attention", False) + no("add_cross_attention", True)
        + one("cross_attention_hidden_size", None) + no("cross_attention_hidden_size", 32)
        + one("tie_encoder_decoder", False) + one("torchscript", True) + one("use_bfloat16", True)
        + one("tf_legacy_loss", True) + one("finetuning_task", "x") + one("task_specific_params", {"a": 1})
        + one("tokenizer_class", "X") + one("prefix", "x") + one("sep_token_id", 3)
        + one("decoder_start_token_id", 3)
        + one("pruned_heads", {}, None) + no("pruned_heads", {"0": [1]})
        + one("per_layer_config", None) + no("per_layer_config", {"0": {"rms_norm_eps": 0.1}})
        + one("temperature", 0.3) + one("top_p", 0.5) + one("repetition_penalty", 1.5) + one("max_length", 7)
        + one("no_repeat_ngram_size", 3) + one("do_sample", True)
        + one("unsloth_version", "1") + one("my_own_note", {"a": 1})
        + no("quantization", {"group_size": 64, "bits": 4}) + one("quantization", None)
        + one("quantization_config", None) + no("quantization_config", {"quant_method": "bitsandbytes"}))


def foreign():
    """Keys that change what other models compute; with these values they would here."""
    neutral = (
        one("use_bidirectional_attention", False, None) + one("is_causal", True) + one("attn_logit_softcapping", None)
        + one("final_logit_softcapping", None) + one("logit_scale", 1.0) + one("embedding_multiplier", 1.0)
        + one("num_experts", 0) + one("num_local_experts", None) + one("qk_norm", False)
        + one("attention_sinks", None) + one("use_qk_norm", False))
    refused = (
        no("use_bidirectional_attention", True) + no("is_causal", False) + no("attn_logit_softcapping", 30.0)
        + no("final_logit_softcapping", 30.0) + no("logit_scale", 0.5) + no("embedding_multiplier", 12.0)
        + no("residual_multiplier", 0.2) + no("attention_multiplier", 0.1) + no("logits_scaling", 8.0)
        + no("query_pre_attn_scalar", 24) + no("num_experts", 4) + no("num_local_experts", 4)
        + no("n_routed_experts", 4) + no("num_experts_per_tok", 2) + no("qk_norm", True) + no("use_qk_norm", True)
        + no("clip_qkv", 8.0) + no("scale_emb", 12) + no("scale_depth", 1.4) + no("rope_interleaved", True)
        + no("hidden_activation", "gelu", only=besides(*GEMMA))
        + no("rotary_dim", 4) + no("rotary_pct", 0.25) + no("no_rope_layers", [1, 0]) + no("use_rope", False)
        + no("attn_temperature_tuning", True) + no("attention_chunk_size", 4) + no("kv_lora_rank", 4)
        + no("parallel_attn", True) + no("alibi", True) + no("position_embedding_type", "alibi"))
    own = {key: besides(*(name for name, keys in OWN.items() if key in keys)) for keys in OWN.values() for key in keys}
    return [dataclasses.replace(variant, only=own.get(variant.key, variant.only)) for variant in neutral + refused]


VARIANTS = (shapes() + numbers() + factors() + windows() + experts() + unturned() + rotary() + housekeeping()
            + foreign())


def unfused(architecture, state):
    """The tensors of experts by the names that files have for each."""
    mixtral = {"gate": "w1", "up": "w3", "down": "w2"} if architecture == "mixtral" else {}
    found = {}
    for name, value in state.items():
        stem, _, last = name.rpartition(".experts.")
        if architecture == "mixtral":
            name, stem = (text.replace(".mlp", ".block_sparse_moe") for text in (name, stem))
        if not stem:
            found[name] = value
            continue
        parts = dict(zip(("gate", "up"), value.chunk(2, dim=1))) if last == "gate_up_proj" else {"down": value}
        for part, matrices in parts.items():
            for expert, matrix in enumerate(matrices):
                own = mixtral.get(part, f"{part}_proj")
                found[f"{stem}.experts.{expert}.{own}.weight"] = matrix.contiguous()
    return found


def weights(architecture):
    """Random weights of the base configuration, norms and biases included, in bfloat16."""
    config = AutoConfig.for_model(architecture, **BASES[architecture])
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    random = torch.Generator().manual_seed(list(BASES).index(architecture))
    state = {}
    for name, parameter in model.state_dict().items():
        noise = torch.randn(parameter.shape, generator=random)
        scale = 0.3 if "norm" in name or name.endswith("bias") else 2 * parameter.shape[-1] ** -0.5
        # Small in front of the norms behind each part, so that their epsilon counts.
        if architecture in GEMMA + ("olmo2", "olmo3") and ("o_proj" in name or "down_proj" in name):
            scale *= 0.02
        # Gemma multiplies by 1 + w.
        center = "norm" in name and architecture not in GEMMA
        state[name] = (scale * noise + center).to(torch.bfloat16).contiguous()
    return unfused(architecture, state)


@torch.no_grad()
def logits(directory):
    """Logits [T, V] by transformers, or None when it cannot read all of the model from the files."""
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, output_loading_info=True)
        found = model.eval()(input_ids=torch.tensor([TOKENS]), use_cache=False)
    except Exception as error:  # noqa: BLE001: whatever it is, there are no logits
        return None, f"{type(error).__name__}: {str(error).strip().splitlines()[0][:100]}"
    if info["missing_keys"] or info["mismatched_keys"]:
        return None, f"{len(info['missing_keys'])} missing, {len(info['mismatched_keys'])} mismatched"
    values = found[0] if isinstance(found, tuple) else found.logits
    return values[0].float(), f"unexpected {sorted(info['unexpected_keys'])[:2]}" if info["unexpected_keys"] else ""


def check_complete(architecture):
    """Every field of the configuration class has a variant."""
    fields = {field.name for field in dataclasses.fields(type(AutoConfig.for_model(architecture)))}
    varied = {key for variant in VARIANTS if architecture in variant.only for key in variant.changes}
    assert fields <= varied, f"{architecture}: no variant of {sorted(fields - varied)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true", help="print what transformers makes of every variant")
    options = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    written, golden, failures = 0, {}, 0
    for architecture, base in BASES.items():
        check_complete(architecture)
        file = FIXTURES / f"{architecture}.safetensors"
        save_file(weights(architecture), file, metadata={"format": "pt"})
        entries, distinct = [], []
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "model.safetensors").symlink_to(file)
            for variant in [Variant("", {})] + [v for v in VARIANTS if architecture in v.only]:
                config = {"model_type": architecture, **base, **variant.changes}
                config = {key: value for key, value in config.items() if value != ABSENT}
                (Path(work) / "config.json").write_text(json.dumps(config), encoding="utf-8")
                entry = {"key": variant.key, "changes": variant.changes}
                found, words = logits(work) if options.show or not variant.refused else (None, "")
                if options.show:
                    same = [n for n, other in enumerate(distinct) if found is not None and torch.equal(other, found)]
                    print(architecture, "refused" if variant.refused else "logits", json.dumps(variant.changes),
                          "->", "nothing" if found is None else same or "other logits", words)
                if not variant.refused:
                    if found is None:
                        failures += 1
                        print(f"no logits: {architecture} {variant.changes}: {words}")
                        continue
                    number = next((n for n, other in enumerate(distinct) if torch.equal(other, found)), None)
                    if number is None:
                        number = len(distinct)
                        distinct.append(found)
                    entry["logits"] = number
                entries.append(entry)
        golden[architecture] = torch.stack(distinct)
        lines, written = ",\n".join(json.dumps(entry) for entry in entries), written + len(entries)
        (FIXTURES / f"{architecture}.json").write_text(
            f'{{"tokens": {json.dumps(TOKENS)}, "absent": {json.dumps(ABSENT)},\n"base": {json.dumps(base)},\n'
            f'"variants": [\n{lines}\n]}}\n', encoding="utf-8")
    assert not failures, f"{failures} variants have no logits"
    save_file(golden, FIXTURES / "logits.safetensors")
    print(written, "variants,", sum(len(rows) for rows in golden.values()), "distinct logits")


if __name__ == "__main__":
    main()
