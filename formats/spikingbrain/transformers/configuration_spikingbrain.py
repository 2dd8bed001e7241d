# SPDX-License-Identifier: Apache-2.0
"""Configuration of SpikingBrain models in `transformers`: config.json of the `spikingbrain` and `gla_swa` layouts.

The keys are those of the layouts, read as they are written and written as they are read. A key that is not known is
an error that names it: it might change what the model computes.
"""
from transformers import GenerationConfig, PretrainedConfig

LAYOUT_VERSION = 4
MIXERS = ("gla", "window", "full", "parallel", "parallel-full")
ATTENTION_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD_PROJECTIONS = ("gate_proj", "up_proj", "down_proj")
GROUP_SIZES = (32, 64, 128, 256, 512, 1024, "channel")
SCALING_KEYS = {
    "default": set(),
    "linear": {"factor"},
    "llama3": {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
    "yarn": {"factor", "beta_fast", "beta_slow", "truncate", "original_max_position_embeddings"},
    "factors": {"factors"},
    "wavelengths": {"factors"},
}
MAGNITUDE, LIMIT = "attention_factor", "position_limit"  # any of these objects may have them

# Keys of config.json that change nothing the model computes, or that `transformers` itself acts on.
HARMLESS = {
    "attn_implementation", "attn_mode", "auto_map", "conv_size", "dtype", "experts_implementation",
    "fuse_cross_entropy", "fuse_norm", "fuse_swiglu", "gradient_checkpointing", "name_or_path", "quantization_config",
    "torch_dtype",
}


def refuse(condition, message):
    if condition:
        raise ValueError(message)


def refuse_others(found, known, where):
    """Keys of an object that nobody asks for are errors."""
    others = sorted(set(found) - set(known))
    refuse(others, f"{where}: unknown {', '.join(map(repr, others))}")


class SpikingBrainConfig(PretrainedConfig):
    """The `spikingbrain` layout. Arguments are the keys of config.json; without any, it is a model of no layers."""

    model_type = "spikingbrain"
    keys_to_ignore_at_inference = ["past_key_values"]
    w8aspike = False
    rope_scaling = None  # hides the property of transformers 5, which would rewrite the key

    # Keys and their defaults; what `transformers` sets too; keys that are written only where they are not the default.
    KEYS = {
        "vocab_size": 32000, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 0,
        "num_attention_heads": 4, "num_key_value_heads": None, "head_dim": None, "mixer": (), "ffn": (),
        "layout_version": 1, "norm_eps": 1e-6, "rope_theta": 10000.0, "rope_scaling": None, "hidden_act": "swish",
        "max_position_embeddings": 131072, "qk_norm": False, "qkv_bias": True, "o_proj_bias": False, "mlp_bias": False,
        "gate_low_rank_dim": 16, "norm_topk_prob": False, "use_short_conv": False, "elementwise_affine": True,
        "attention_dropout": 0.0, "initializer_range": 0.02, "use_cache": True,
    }
    SHARED = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None, "tie_word_embeddings": False}
    OPTIONAL = {
        "sliding_window": None, "window_rule": "report", "merged_gates": False, "num_experts": None,
        "num_experts_per_tok": 1, "num_shared_experts": 0, "moe_intermediate_size": None,
        "shared_expert_intermediate_size": None, "routing_weights": "softmax", "num_sink_tokens": 0,
        "branch_norm_eps": None, "quantization": None, "spiking": None, "norm_placement": "pre", "norm_add_one": False,
        "rotary_dim": None, "layer_rotary": None, "embedding_multiplier": 1.0, "residual_multiplier": 1.0,
        "logits_multiplier": 1.0, "attention_multiplier": None, "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
    }

    def __init__(self, **keys):
        own = self.KEYS | self.SHARED | self.OPTIONAL
        rest = {key: value for key, value in keys.items() if key not in own}
        known = HARMLESS | set(PretrainedConfig().to_dict()) | set(GenerationConfig().to_dict())
        refuse_others([key for key in rest if not key.startswith("_")], known, f"config.json of {self.model_type}")
        super().__init__(**{key: keys.get(key, default) for key, default in self.SHARED.items()}, **rest)
        for key, default in own.items():
            setattr(self, key, keys.get(key, default))
        self.num_key_value_heads = self.num_key_value_heads or self.num_attention_heads
        self._complete()
        self._check()

    def _complete(self):
        """Defaults that follow from other keys."""
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        self.mixer, self.ffn = list(self.mixer), list(self.ffn)

    def to_dict(self):
        """config.json: without keys that have the value their absence means."""
        return {key: value for key, value in super().to_dict().items()
                if key not in self.OPTIONAL or value != self.OPTIONAL[key]}

    # What follows from the keys ---------------------------------------------------------------------------------

    @property
    def window(self):
        """Keys that a query of a window layer sees, its own included."""
        return self.sliding_window + (self.window_rule == "flash")

    @property
    def expert_size(self):
        return self.moe_intermediate_size or self.intermediate_size

    @property
    def shared_size(self):
        return self.shared_expert_intermediate_size or self.num_shared_experts * self.expert_size

    @property
    def softmax_scale(self):
        return self.head_dim ** -0.5 if self.attention_multiplier is None else self.attention_multiplier

    @property
    def branch_eps(self):
        return self.norm_eps if self.branch_norm_eps is None else self.branch_norm_eps

    def rotary(self, layer):
        """(theta, channels that turn, scaling) of a layer; None where nothing turns."""
        own = (self.layer_rotary or [None] * self.num_hidden_layers)[layer]
        if own == "none":
            return None
        if own is None:
            return float(self.rope_theta), self.rotary_dim or self.head_dim, self.rope_scaling
        return float(own.get("rope_theta", 10000.0)), own.get("rotary_dim") or self.head_dim, own.get("rope_scaling")

    @property
    def longest_text(self):
        """Tokens of the longest text that the rotary embeddings hold for, or None."""
        softmax = (n for n, mixer in enumerate(self.mixer) if mixer != "gla")
        settings = (self.rotary(n) for n in softmax)
        limits = [(scaling or {}).get(LIMIT) for _, _, scaling in filter(None, settings)]
        return min((limit - self.num_sink_tokens for limit in limits if limit), default=None)

    def spikes(self, layer):
        """{name: k} of a layer's spiked activations, with `experts` and `shared_expert` in `moe` layers."""
        return self.spiking["layers"][layer] or {} if self.spiking else {}

    @property
    def winners(self):
        """The share of the channels that `down_proj` reads, or None for all."""
        return (self.spiking or {}).get("winners")

    @property
    def int8_cache(self):
        return (self.spiking or {}).get("kv_cache", "float32") == "int8"

    # Refusals ---------------------------------------------------------------------------------------------------

    def _check(self):
        depth = self.num_hidden_layers
        refuse(self.layout_version > LAYOUT_VERSION,
               f"layout_version {self.layout_version} is newer than this code, which knows {LAYOUT_VERSION}")
        refuse(len(self.mixer) != depth or len(self.ffn) != depth,
               f"mixer has {len(self.mixer)} and ffn {len(self.ffn)} entries for {depth} layers")
        for key, found, known in (
                ("mixer", self.mixer, MIXERS), ("ffn", self.ffn, ("dense", "moe")),
                ("window_rule", [self.window_rule], ("report", "flash")),
                ("hidden_act", [self.hidden_act], ("swish", "silu", "gelu", "gelu_pytorch_tanh")),
                ("qk_norm", [self.qk_norm], (False, True, "whole")),
                ("norm_placement", [self.norm_placement], ("pre", "post", "both")),
                ("routing_weights", [self.routing_weights], ("softmax", "one")),
                ("norm_topk_prob", [self.norm_topk_prob], (False, True)),
                ("use_short_conv", [self.use_short_conv], (False,)),
                ("elementwise_affine", [self.elementwise_affine], (True,)),
                ("attention_dropout", [self.attention_dropout], (0,))):
            refuse(any(value not in known for value in found), f"{key}: {found} is not among {known}")
        refuse(self.norm_topk_prob and self.routing_weights == "one", "norm_topk_prob: routing_weights is 'one'")
        refuse(not self.sliding_window and {"window", "parallel"} & set(self.mixer), "sliding_window is missing")
        refuse(self.num_attention_heads % self.num_key_value_heads, "num_key_value_heads does not divide the heads")
        if "moe" in self.ffn:
            refuse(not self.num_experts, "num_experts is missing")
            refuse(not 1 <= self.num_experts_per_tok <= self.num_experts,
                   f"num_experts_per_tok: {self.num_experts_per_tok} of {self.num_experts} experts")
        if self.quantization:
            refuse_others(self.quantization, ("weights", "group_size"), "quantization")
            refuse(self.quantization.get("weights") not in ("int8", "int4"),
                   f"quantization.weights: {self.quantization.get('weights')!r} is not known")
            refuse(self.quantization.get("group_size") not in GROUP_SIZES,
                   f"quantization.group_size: {self.quantization.get('group_size')!r} is not among {GROUP_SIZES}")
        self._check_rotary()
        if self.spiking:
            self._check_spiking()

    def _check_rotary(self):
        layers = self.layer_rotary or [None] * self.num_hidden_layers
        refuse(len(layers) != self.num_hidden_layers, "layer_rotary has not an entry for every layer")
        for own in layers:
            if isinstance(own, dict):
                refuse_others(own, ("rope_theta", "rope_scaling", "rotary_dim"), "layer_rotary")
            else:
                refuse(own not in (None, "none"), f"layer_rotary: {own!r} is not known")
        for layer in range(self.num_hidden_layers):
            _, channels, scaling = self.rotary(layer) or (None, 2, None)
            refuse(channels % 2 or channels > self.head_dim, f"rotary_dim: {channels} of {self.head_dim} channels")
            if scaling is not None:
                kind = scaling.get("rope_type")
                refuse(kind not in SCALING_KEYS, f"rope_scaling.rope_type: {kind!r} is not known")
                refuse(set(scaling) - {MAGNITUDE, LIMIT} != SCALING_KEYS[kind] | {"rope_type"},
                       f"rope_scaling {kind} has {sorted(scaling)}, expected rope_type, {sorted(SCALING_KEYS[kind])}")
                for key in (MAGNITUDE, LIMIT):
                    refuse(not scaling.get(key, 1) > 0, f"rope_scaling.{key}: {scaling.get(key)!r} is not above 0")
                refuse(len(scaling.get("factors", [0] * (channels // 2))) != channels // 2,
                       f"rope_scaling.factors are not {channels // 2} numbers")

    def _check_spiking(self):
        refuse_others(self.spiking, ("coding", "kv_cache", "winners", "layers"), "spiking")
        coding, cache = self.spiking.get("coding", "bitwise"), self.spiking.get("kv_cache", "float32")
        refuse(coding not in ("bitwise", "ternary", "binary", "twos-complement"), f"spiking.coding: {coding!r}")
        refuse(cache not in ("float32", "int8"), f"spiking.kv_cache: {cache!r}")
        refuse(self.winners is not None and not 0 < self.winners <= 1, f"spiking.winners: {self.winners}")
        refuse(len(self.spiking.get("layers") or []) != self.num_hidden_layers,
               "spiking.layers has not an entry for every layer")
        for layer, (mixer, ffn) in enumerate(zip(self.mixer, self.ffn)):
            where, found = f"spiking.layers[{layer}]", dict(self.spikes(layer))
            experts = (found.pop("experts", None) or []) if ffn == "moe" else []
            shared = found.pop("shared_expert", None) if ffn == "moe" else None
            refuse(experts and len(experts) != self.num_experts, f"{where}.experts are not {self.num_experts}")
            special = ("gk_proj",) if mixer == "gla" else ("rotated_query",)
            objects = [(found, ATTENTION_PROJECTIONS + FEED_FORWARD_PROJECTIONS + special)]
            objects += [(own or {}, FEED_FORWARD_PROJECTIONS) for own in [*experts, shared]]
            for own, names in objects:
                refuse_others(own, names, where)
                refuse(any(k is not None and not 1 / 1024 <= k <= 1024 for k in own.values()), f"{where}: {own}")


class GLAswaConfig(SpikingBrainConfig):
    """The `gla_swa` layout of SpikingBrain-7B: gated linear and window layers, everything else fixed.

    With `dynamic_sfr`, the k of its projections, it is the W8ASpike variant. Files of it that lack the key take it as
    an argument of `from_pretrained`.
    """

    model_type = "gla_swa"
    KEYS = {
        "vocab_size": 32000, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 0,
        "num_attention_heads": 4, "num_key_value_heads": None, "attn_layers": None, "norm_eps": 1e-6,
        "rope_theta": 10000.0, "hidden_act": "swish", "max_position_embeddings": 131072, "use_short_conv": False,
        "elementwise_affine": True, "attention_dropout": 0.0, "use_cache": True,
    }
    OPTIONAL = {"sliding_window": None, "window_rule": "report", "merged_gates": False, "dynamic_sfr": None}
    GROUP, QUERY_K = 128, 3.0  # of the W8ASpike variant: inputs that share a scale, k of rotated queries

    # The other keys of the other layout, as they are here.
    layout_version, norm_topk_prob, initializer_range = 1, False, 0.02
    qk_norm, qkv_bias, o_proj_bias, mlp_bias, gate_low_rank_dim = False, True, False, False, 16
    num_experts, num_experts_per_tok, num_shared_experts, routing_weights = None, 1, 0, "softmax"
    moe_intermediate_size = shared_expert_intermediate_size = None
    num_sink_tokens, branch_norm_eps, quantization = 0, None, None
    norm_placement, norm_add_one, rotary_dim, layer_rotary = "pre", False, None, None
    embedding_multiplier = residual_multiplier = logits_multiplier = 1.0
    attention_multiplier = attn_logit_softcapping = final_logit_softcapping = None

    def __init__(self, **keys):  # transformers 5 makes one for classes that have none of their own
        super().__init__(**keys)

    def _complete(self):
        if self.attn_layers is None:
            self.attn_layers = list(range(1, self.num_hidden_layers, 2))
        refuse(not set(self.attn_layers) <= set(range(self.num_hidden_layers)), f"attn_layers: {self.attn_layers}")
        refuse(self.tie_word_embeddings, "gla_swa has no tied embeddings")
        refuse(self.hidden_act not in ("swish", "silu"), f"hidden_act: {self.hidden_act!r} is not swish")
        refuse(self.w8aspike and (self.hidden_size % self.GROUP or self.intermediate_size % self.GROUP),
               f"dynamic_sfr: {self.hidden_size} and {self.intermediate_size} inputs are no multiples of {self.GROUP}")

    @property
    def head_dim(self):
        return self.hidden_size // self.num_attention_heads

    @property
    def mixer(self):
        return ["window" if n in self.attn_layers else "gla" for n in range(self.num_hidden_layers)]

    @property
    def ffn(self):
        return ["dense"] * self.num_hidden_layers

    @property
    def w8aspike(self):
        return self.dynamic_sfr is not None

    @property
    def spiking(self):
        """What the W8ASpike variant spikes, in the words of the other layout: everything but the input of down_proj."""
        if not self.w8aspike:
            return None
        k = dict.fromkeys(("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj"), self.dynamic_sfr)
        own = {"gla": {"gk_proj": self.dynamic_sfr}, "window": {"rotated_query": self.QUERY_K}}
        return {"kv_cache": "int8", "layers": [k | own[mixer] for mixer in self.mixer]}
