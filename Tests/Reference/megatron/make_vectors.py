"""The vectors of formats/megatron: directories written by torch.save from oracle.py.

    python make_vectors.py
"""
import argparse
import collections
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

import oracle

FORMAT = Path(__file__).resolve().parents[3] / "formats/megatron"
ARGS = {
    "num_layers": 2, "hidden_size": 8, "ffn_hidden_size": 12, "num_attention_heads": 4, "group_query_attention": True,
    "num_query_groups": 2, "kv_channels": 4, "position_embedding_type": "rope", "rotary_base": 10000,
    "max_position_embeddings": 64, "add_bias_linear": False, "add_qkv_bias": True, "swiglu": True,
    "normalization": "RMSNorm", "norm_epsilon": 1e-06, "untie_embeddings_and_output_weights": True, "vocab_size": 5,
    "num_experts": None, "virtual_pipeline_model_parallel_size": None, "lr": 1e-4, "data_path": ["a", "b"],
}
EXPERTS = {
    "model_type": "spikingbrain", "layout_version": 1, "vocab_size": 5, "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 12, "hidden_act": "swish",
    "max_position_embeddings": 64, "norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4,
    "mixer": ["parallel", "gla"], "ffn": ["dense", "moe"], "qk_norm": False, "qkv_bias": True, "o_proj_bias": False,
    "mlp_bias": False, "gate_low_rank_dim": 2, "tie_word_embeddings": False, "num_experts": 4,
    "num_experts_per_tok": 1, "num_shared_experts": 1, "moe_intermediate_size": 6, "num_sink_tokens": 3,
}


def model(seed, experts):
    """Neutral names, and those of the directory that holds the model in one form."""
    generator = torch.Generator().manual_seed(seed)
    neutral, named = {}, {}

    def add(role, name, *shape):
        neutral[role] = named[name] = torch.randn(*shape, generator=generator).bfloat16()

    def feed_forward(role, name, width):
        for part, shape in (("gate", (width, 8)), ("up", (width, 8)), ("down", (8, width))):
            add(f"{role}{part}.weight", f"{name}{part}_proj.weight", *shape)

    attn, first, second = ("attn", "attn_norm", "mlp_norm") if experts else (
        "self_attn", "input_layernorm", "post_attention_layernorm")
    add("embedding", "model.embeddings.weight" if experts else "model.embed_tokens.weight", 5, 8)
    if experts:
        add("sinks", "model.sink_tokens", 3, 8)
    for i in range(2):
        n, p = f"layers.{i}.", f"model.layers.{i}."
        add(n + "attn_norm", f"{p}{first}.weight", 8)
        for role, short, out in (("query", "q", 16), ("key", "k", 8), ("value", "v", 8)):
            add(f"{n}{role}.weight", f"{p}{attn}.{short}_proj.weight", out, 8)
            add(f"{n}{role}.bias", f"{p}{attn}.{short}_proj.bias", out)
        add(n + "output.weight", f"{p}{attn}.o_proj.weight", 8, 16)
        if experts and i == 0:
            add(n + "la_norm", p + "attn.la_norm.weight", 4, 4)
            add(n + "sa_norm", p + "attn.sa_norm.weight", 4, 4)
            add(n + "branch_scale", p + "attn.branch_scale", 2)
        if experts and i == 1:
            add(n + "gate_low", p + "attn.gk_proj.0.weight", 2, 8)
            add(n + "gate_high.weight", p + "attn.gk_proj.1.weight", 8, 2)
            add(n + "gate_high.bias", p + "attn.gk_proj.1.bias", 8)
            add(n + "g_norm", p + "attn.g_norm.weight", 4)
        add(n + "ffn_norm", f"{p}{second}.weight", 8)
        if experts and i == 1:
            add(n + "router", p + "mlp.gate.weight", 4, 8)
            for e in range(4):
                feed_forward(f"{n}experts.{e}.", f"{p}mlp.experts.{e}.", 6)
            feed_forward(n + "shared.", p + "mlp.shared_expert.", 6)
        else:
            feed_forward(n, p + "mlp.", 12)
    add("norm", "model.norm.weight", 8)
    add("head", "lm_head.weight", 5, 8)
    return neutral, named


def files(neutral, experts, tp, pp, ep, multiple):
    """The oracle's files with another padding of the vocabulary."""
    shape = {"layers": 2, "kv": 2, "d": 4, "experts": 4 if experts else 0, "tied": False}
    original, oracle.padded = oracle.padded, lambda rows, tp: -(-rows // (multiple * tp)) * multiple * tp
    try:
        return oracle.shard(neutral, shape, tp, pp, ep)
    finally:
        oracle.padded = original


def arguments(tp, pp, ep, **changes):
    ranks = {"tensor_model_parallel_size": tp, "pipeline_model_parallel_size": pp, "expert_model_parallel_size": ep}
    return ARGS | ranks | changes


def write(path, shards, args, tracker="release", iteration="release", keys=lambda key: key, config=None):
    shutil.rmtree(path, ignore_errors=True)
    for name, tensors in shards.items():
        state = collections.OrderedDict(
            (keys(key), None if x is None else x.clone()) for key, x in tensors.items())
        state._metadata = collections.OrderedDict({"": {"version": 1}})
        file = path / iteration / name / "model_optim_rng.pt"
        file.parent.mkdir(parents=True)
        own = args(name) if callable(args) else args
        content = {"args": argparse.Namespace(**own), "checkpoint_version": 3.0, "iteration": 5, "model": state,
                   "optimizer": {"exp_avg": torch.zeros(3)}}
        if own is None:
            del content["args"]
        torch.save({key: x for key, x in content.items() if x is not None}, file)
    if tracker is not None:
        (path / "latest_checkpointed_iteration.txt").write_text(tracker)
    if config is not None:
        (path / "config.json").write_text(json.dumps(config, indent=2))


def local_names(key):
    """Names of Megatron's layers without Transformer Engine, and of experts one after the other."""
    key = key.replace("self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight")
    key = key.replace("mlp.linear_fc1.layer_norm_weight", "pre_mlp_layernorm.weight")
    if ".mlp.experts." in key and "_extra_state" not in key:
        key, number = key[:-1], key[-1]
        key = key.replace("mlp.experts.", f"mlp.experts.local_experts.{number}.")
    return key


def valid():
    dense, named = model(1, False)
    write(FORMAT / "valid/dense", files(dense, False, 2, 2, 1, 4), arguments(2, 2, 1), tracker="5\n",
          iteration="iter_0000005", keys=local_names)
    save_file(named, FORMAT / "valid/dense.safetensors")
    experts, named = model(2, True)
    write(FORMAT / "valid/experts", files(experts, True, 2, 1, 2, 4), arguments(2, 1, 2, num_experts=4),
          keys=local_names, config=EXPERTS)
    save_file(named, FORMAT / "valid/experts.safetensors")
    write(FORMAT / "valid/grouped", files(experts, True, 1, 2, 4, 3), arguments(1, 2, 4, num_experts=4), config=EXPERTS)
    save_file(named, FORMAT / "valid/grouped.safetensors")


class System:
    def __reduce__(self):
        import os
        return os.system, ("true",)


def hostile():
    dense, _ = model(3, False)
    folder = FORMAT / "hostile"
    shutil.rmtree(folder, ignore_errors=True)
    expected = {}

    def add(name, what, change=None, args=None, **options):
        shards = files(dense, False, 2, 1, 1, 4)
        if change:
            change(shards)
        write(folder / name, shards, arguments(2, 1, 1) if args is None else args, **options)
        expected[name] = what

    def second(change):
        return lambda shards: change(shards["mp_rank_01"])

    qkv, fc1 = "decoder.layers.1.self_attention.linear_qkv.weight", "decoder.layers.0.mlp.linear_fc1.weight"
    add("key-missing", f"tensor mp_rank_01/{qkv} [16, 8] is missing", second(lambda x: x.pop(qkv)))
    add("key-of-no-model", "tensor mp_rank_01/decoder.layers.0.mlp.linear_fc3.weight in FILE is not part of this model",
        second(lambda x: x.update({"decoder.layers.0.mlp.linear_fc3.weight": torch.ones(2)})))
    add("layer-too-many", "tensor mp_rank_01/decoder.layers.2.mlp.linear_fc2.weight in FILE is not part of this model",
        second(lambda x: x.update({"decoder.layers.2.mlp.linear_fc2.weight": torch.ones(8, 6)})))
    add("two-names", "tensor mp_rank_01/decoder.layers.0.input_layernorm.weight in FILE is not part of this model",
        second(lambda x: x.update({"decoder.layers.0.input_layernorm.weight": torch.ones(8)})))
    add("shape-of-other-cut", f"tensor mp_rank_01/{fc1} in FILE has shape [24, 8], the configuration calls for [12, 8]",
        second(lambda x: x.update({fc1: torch.ones(24, 8).bfloat16()})))
    add("type-of-one-rank", f"tensor mp_rank_01/{fc1} in FILE has type float32, the configuration calls for bfloat16",
        second(lambda x: x.update({fc1: x[fc1].float()})))
    add("integers", f"tensor mp_rank_01/{fc1} in FILE has type int32, which holds no weights",
        second(lambda x: x.update({fc1: x[fc1].int()})))
    add("padding-missing", "tensor mp_rank_00/embedding.word_embeddings.weight in FILE has shape [2, 8]",
        lambda shards: [x.update({"embedding.word_embeddings.weight": torch.ones(2, 8).bfloat16()})
                        for x in shards.values()])
    add("rank-missing", "args name 2 ranks, but there are 1 directory", lambda shards: shards.pop("mp_rank_01"))
    add("rank-too-many", "args name 2 ranks, but there are 3 directories",
        lambda shards: shards.update(mp_rank_02=shards["mp_rank_01"]))
    add("rank-of-other-name", "tensor mp_rank_01/embedding.word_embeddings.weight",
        lambda shards: shards.update(mp_rank_03=shards.pop("mp_rank_01")))
    add("ranks-disagree", "args in mp_rank_01 name other ranks than in mp_rank_00",
        args=lambda name: arguments(2 if name == "mp_rank_00" else 1, 1, 1))
    add("ranks-without-end", '"tensor_model_parallel_size" is 65537, expected 1 to 65536', args=arguments(65537, 1, 1))
    add("ranks-too-many", "args name 281474976710656 ranks, but there are 2 directories",
        args=arguments(65536, 65536, 65536))
    add("heads-not-shared", "--tp 2 does not divide the 3 key/value heads",
        args=arguments(2, 1, 1, num_query_groups=3, num_attention_heads=6))
    add("layers-not-shared", "--pp 2 does not divide the 3 layers",
        args=arguments(1, 2, 1, num_layers=3))
    add("runs-of-layers", '"virtual_pipeline_model_parallel_size": 2 is not supported',
        args=arguments(2, 1, 1, virtual_pipeline_model_parallel_size=2))
    add("experts-without-config", '"num_experts": 4 is not supported', args=arguments(2, 1, 1, num_experts=4))
    add("other-activation", '"swiglu": false is not supported', args=arguments(2, 1, 1, swiglu=False))
    add("other-norm", '"normalization": "LayerNorm" is not supported', args=arguments(2, 1, 1, normalization="LayerNorm"))
    add("size-of-text", '"hidden_size" must be an integer, not "8"', args=arguments(2, 1, 1, hidden_size="8"))
    add("size-missing", '"hidden_size" is missing',
        args={key: x for key, x in arguments(2, 1, 1).items() if key != "hidden_size"})
    add("system-call", "names posix.system (byte", args=arguments(2, 1, 1, tokenizer=System()))
    add("tracker-outside", "its text: expected release or an iteration", tracker="../../etc")
    add("tracker-of-two-words", "its text: expected release or an iteration", tracker="release 5")
    add("tracker-too-long", "size of the tracker is 70, the limit is 64", tracker="5" * 70)
    add("tracker-of-nothing", "is empty", tracker="")
    add("iteration-missing", "cannot list: No such file or directory", tracker="7")
    for name in ("args-missing", "file-missing", "file-no-archive", "model-missing", "model-of-runs"):
        add(name, "")
        first = folder / name / "release/mp_rank_00/model_optim_rng.pt"
        if name == "file-missing":
            first.unlink()
        elif name == "file-no-archive":
            first.write_bytes(b"\x80\x02}.")
        else:
            content = torch.load(first, weights_only=False)
            if name == "args-missing":
                del content["args"]
            else:
                state = content.pop("model")
                if name == "model-of-runs":
                    content |= {"model0": state, "model1": state}
                del content["optimizer"]
            torch.save(content, first)
    expected |= {
        "args-missing": "args: expected the arguments of the training, with its ranks",
        "file-missing": "cannot open: No such file or directory",
        "file-no-archive": "is a PyTorch (before 1.6) or bare pickle checkpoint; this is not supported yet",
        "model-missing": "is no sound pickle at byte 0: it holds no dictionary of tensors",
        "model-of-runs": "is a Megatron (several runs of layers in a stage) checkpoint; this is not supported yet",
    }
    (folder / "EXPECTED.txt").write_text("".join(f"{name}: {what}\n" for name, what in sorted(expected.items())))


valid()
hostile()
