"""Keys and shapes of Megatron-Core itself, on a CPU, against those of oracle.py.

    pip install megatron-core==0.12.3; python check_core.py

Builds its GPTModel with the layers that need no Transformer Engine, which names two norms and the experts
differently (`local_names` of make_vectors.py), loads the oracle's file of one rank strictly, and compares the logits
with those of `transformers` for the same weights (dense models).
"""
import contextlib
import os

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
from megatron.core.tensor_parallel.random import CudaRNGStatesTracker
from megatron.core.transformer import TransformerConfig

import oracle

HIDDEN, HEADS, KV, D, WIDTH, LAYERS, VOCABULARY = 64, 8, 4, 16, 96, 4, 120


def random_model(bias, norm, experts, tied):
    generator = torch.Generator().manual_seed(5)

    def new(*shape, around=0.0):
        return around + torch.randn(*shape, generator=generator) * 0.1

    model = {"embedding": new(VOCABULARY, HIDDEN), "norm": new(HIDDEN, around=1)}
    if not tied:
        model["head"] = new(VOCABULARY, HIDDEN)
    for i in range(LAYERS):
        p = f"layers.{i}."
        model[p + "attn_norm"], model[p + "ffn_norm"] = new(HIDDEN, around=1), new(HIDDEN, around=1)
        for role, out in (("query", HEADS * D), ("key", KV * D), ("value", KV * D)):
            model[f"{p}{role}.weight"] = new(out, HIDDEN)
            if bias:
                model[f"{p}{role}.bias"] = new(out)
        model[p + "output.weight"] = new(HIDDEN, HEADS * D)
        if norm:
            model[p + "q_norm"], model[p + "k_norm"] = new(D, around=1), new(D, around=1)
        for owner in [f"experts.{e}." for e in range(experts)] + ["shared."] if experts else [""]:
            for role in ("gate", "up"):
                model[f"{p}{owner}{role}.weight"] = new(WIDTH, HIDDEN)
            model[f"{p}{owner}down.weight"] = new(HIDDEN, WIDTH)
        if experts:
            model[p + "router"] = new(experts, HIDDEN)
    return model


def local_names(key):
    key = key.replace("self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight")
    key = key.replace("mlp.linear_fc1.layer_norm_weight", "pre_mlp_layernorm.weight")
    if ".mlp.experts." in key:
        key, number = key[:-1], key[-1]
        key = key.replace("mlp.experts.", f"mlp.experts.local_experts.{number}.")
    return key


def core(bias, norm, experts, tied):
    extra = dict(num_moe_experts=experts, moe_shared_expert_intermediate_size=WIDTH, moe_router_topk=1,
                 moe_ffn_hidden_size=WIDTH, moe_router_pre_softmax=True) if experts else {}
    config = TransformerConfig(
        num_layers=LAYERS, hidden_size=HIDDEN, num_attention_heads=HEADS, num_query_groups=KV, kv_channels=D,
        ffn_hidden_size=WIDTH, gated_linear_unit=True, activation_func=torch.nn.functional.silu, add_bias_linear=False,
        add_qkv_bias=bias, qk_layernorm=norm, normalization="RMSNorm", layernorm_epsilon=1e-6, hidden_dropout=0.0,
        attention_dropout=0.0, use_cpu_initialization=True, bias_activation_fusion=False, masked_softmax_fusion=False,
        bias_dropout_fusion=False, apply_rope_fusion=False, gradient_accumulation_fusion=False,
        persist_layer_norm=False, **extra)
    spec = get_gpt_layer_local_spec(num_experts=experts or None, moe_grouped_gemm=False, qk_layernorm=norm,
                                    normalization="RMSNorm")
    return GPTModel(config, spec, vocab_size=oracle.padded(VOCABULARY, 1), max_sequence_length=64,
                    position_embedding_type="rope", rotary_base=10000, share_embeddings_and_output_weights=tied)


def reference(model, tokens):
    """The dense model with biases in `transformers`."""
    from transformers import Qwen2Config, Qwen2ForCausalLM
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV, head_dim=D, rms_norm_eps=1e-6, rope_theta=10000.0,
        tie_word_embeddings=False)
    names = {"query": "self_attn.q_proj", "key": "self_attn.k_proj", "value": "self_attn.v_proj",
             "output": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    state = {"model.embed_tokens.weight": model["embedding"], "model.norm.weight": model["norm"],
             "lm_head.weight": model["head"]}
    for key, value in model.items():
        if key.startswith("layers."):
            _, i, role, *rest = key.split(".")
            norms = {"attn_norm": "input_layernorm.weight", "ffn_norm": "post_attention_layernorm.weight"}
            state[f"model.layers.{i}." + (norms.get(role) or f"{names[role]}.{rest[0]}")] = value
    run = Qwen2ForCausalLM(config).eval()
    run.load_state_dict(state)
    return run(tokens).logits


def main():
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29531"}
    # Where it asks for a GPU there is none.
    torch.cuda.current_device = lambda: "cpu"
    CudaRNGStatesTracker.fork = lambda self, name=None: contextlib.nullcontext()
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    parallel_state.initialize_model_parallel()
    for bias, norm, experts, tied in ((True, False, 0, False), (False, True, 0, True), (False, False, 4, False)):
        model = random_model(bias, norm, experts, tied)
        shape = {"layers": LAYERS, "kv": KV, "d": D, "experts": experts, "tied": tied}
        ours = {local_names(key): x for key, x in oracle.shard(model, shape, 1, 1, 1)["mp_rank_00"].items()
                if x is not None}
        network = core(bias, norm, experts, tied)
        theirs = {key: x for key, x in network.state_dict().items() if not key.endswith("_extra_state")}
        assert set(ours) == set(theirs), sorted(set(ours) ^ set(theirs))
        for key, value in theirs.items():
            assert ours[key].shape == value.shape, (key, ours[key].shape, value.shape)
        print(f"ok {len(ours)} keys and shapes (bias {bias}, norm {norm}, experts {experts}, tied {tied})", flush=True)
        if bias:
            missing, unexpected = network.load_state_dict(ours, strict=False)
            assert not unexpected and all(key.endswith("_extra_state") for key in missing), (missing, unexpected)
            tokens = torch.randint(0, VOCABULARY, (1, 12), generator=torch.Generator().manual_seed(1))
            with torch.no_grad():
                mask = torch.ones(1, 1, 12, 12, dtype=torch.bool).triu(1)
                logits = network.eval()(tokens, torch.arange(12)[None], mask)[..., :VOCABULARY]
                expected = reference(model, tokens)
            error = ((logits - expected).abs().max() / expected.abs().max()).item()
            assert error < 1e-5, error
            print(f"ok logits of Megatron-Core and transformers: {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
