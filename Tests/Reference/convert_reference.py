"""An independent converter: source directory or GGUF -> SpikingBrain directory (inter-layer hybrid), in memory.

The first gate matrix (gk_proj.0.weight) is free to choose; everything else is determined by the source.
"""
import argparse
import json
import shutil
from pathlib import Path

import torch

from checkpoint_io import DTYPES, TensorFiles, parse_ids, read_config, read_gguf, rope_of, write_tensors

GATE_RANK = 16
BLOCK_NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "mlp_norm"}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json",
                   "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "added_tokens.json")


def read_source(path):
    """(config, tensors) of a source checkpoint under Hugging Face names."""
    if Path(path).suffix == ".gguf":
        return read_gguf(path)
    files = TensorFiles(path)
    return read_config(path), {name: files.take(name) for name in files}


def chosen_layers(text, layers):
    """'odd' or a comma-separated list -> the layers that stay softmax."""
    return list(range(1, layers, 2)) if text == "odd" else sorted(set(parse_ids(text)))


def convert(config, source, attention="odd", window=4096, gate_bias=0.0, rule="report", full=(), seed=0):
    """(config, tensors) of the converted model; `source` is emptied as it is used."""
    assert config["model_type"] in ("llama", "mistral", "qwen2", "qwen3"), config["model_type"]
    assert config.get("hidden_act", "silu") == "silu", config["hidden_act"]
    source, random = dict(source), torch.Generator().manual_seed(seed)
    hidden, layers, heads = config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    dim = config.get("head_dim") or hidden // heads
    theta, scaling = rope_of(config)
    if config.get("use_sliding_window"):
        raise ValueError("a Qwen source with use_sliding_window is not handled")
    softmax = sorted(set(chosen_layers(attention, layers)) | set(full))
    assert all(0 <= n < layers for n in softmax), softmax
    mixers = ["full" if n in full else "window" if n in softmax else "gla" for n in range(layers)]
    qk_norm = "model.layers.0.self_attn.q_norm.weight" in source
    o_bias = "model.layers.0.self_attn.o_proj.bias" in source
    mlp_bias = "model.layers.0.mlp.up_proj.bias" in source

    out = {"model.embeddings.weight": source.pop("model.embed_tokens.weight"),
           "model.norm.weight": source.pop("model.norm.weight")}
    head = source.pop("lm_head.weight", None)
    if head is None or config.get("tie_word_embeddings"):  # a tied file may still carry an (ignored) copy
        assert config.get("tie_word_embeddings", False), "no lm_head.weight, and the config does not say tied"
        head = out["model.embeddings.weight"].clone()
    out["lm_head.weight"] = head
    for n, kind in enumerate(mixers):
        prefix = f"model.layers.{n}."
        for name, renamed in BLOCK_NORMS.items():
            out[f"{prefix}{renamed}.weight"] = source.pop(f"{prefix}{name}.weight")
        for role in "qkvo":
            weight = out[f"{prefix}attn.{role}_proj.weight"] = source.pop(f"{prefix}self_attn.{role}_proj.weight")
            bias = source.pop(f"{prefix}self_attn.{role}_proj.bias", None)
            if role == "o":
                assert (bias is not None) == o_bias
            elif bias is None:
                bias = weight.new_zeros(weight.shape[0])
            if bias is not None:
                out[f"{prefix}attn.{role}_proj.bias"] = bias
        for role in ("gate", "up", "down"):
            out[f"{prefix}mlp.{role}_proj.weight"] = source.pop(f"{prefix}mlp.{role}_proj.weight")
            if mlp_bias:
                out[f"{prefix}mlp.{role}_proj.bias"] = source.pop(f"{prefix}mlp.{role}_proj.bias")
        if qk_norm:
            for role in "qk":
                out[f"{prefix}attn.{role}_norm.weight"] = source.pop(f"{prefix}self_attn.{role}_norm.weight")
        if kind == "gla":
            keys, like = kv_heads * dim, out[f"{prefix}attn.q_proj.weight"]
            first = torch.randn(GATE_RANK, hidden, generator=random) * hidden ** -0.5
            out[f"{prefix}attn.gk_proj.0.weight"] = first.to(like.dtype)
            out[f"{prefix}attn.gk_proj.1.weight"] = like.new_zeros(keys, GATE_RANK)
            out[f"{prefix}attn.gk_proj.1.bias"] = like.new_full((keys,), gate_bias)
            out[f"{prefix}attn.g_norm.weight"] = like.new_ones(dim)
    ignored = {name for name in source if name.endswith("rotary_emb.inv_freq")}
    assert set(source) == ignored, f"source tensors without a place: {sorted(set(source) - ignored)}"

    plain = {"hidden_size": hidden, "intermediate_size": config["intermediate_size"], "num_hidden_layers": layers,
             "num_attention_heads": heads, "num_key_value_heads": kv_heads, "vocab_size": config["vocab_size"],
             "max_position_embeddings": config.get("max_position_embeddings", 131072), "hidden_act": "swish",
             "norm_eps": config["rms_norm_eps"], "rope_theta": theta, "sliding_window": window,
             "attn_mode": "chunk", "use_short_conv": False, "conv_size": 4, "elementwise_affine": True,
             "attention_dropout": 0.0, "use_cache": True, "fuse_cross_entropy": True, "tie_word_embeddings": False,
             "attn_layers": softmax, "bos_token_id": config.get("bos_token_id"),
             "eos_token_id": config.get("eos_token_id"), "pad_token_id": config.get("pad_token_id")}
    if rule != "report":
        plain["window_rule"] = rule
    if dim * heads == hidden and not (qk_norm or o_bias or mlp_bias or scaling or full):
        return {"model_type": "gla_swa", "architectures": ["GLAswaForCausalLM"], **plain}, out
    return {"model_type": "spikingbrain", "architectures": ["SpikingBrainForCausalLM"], **plain, "head_dim": dim,
            "mixer": mixers, "ffn": ["dense"] * layers, "qk_norm": qk_norm, "o_proj_bias": o_bias,
            "mlp_bias": mlp_bias, "rope_scaling": scaling}, out


def write(directory, config, tensors):
    """A single-file checkpoint directory."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_tensors(directory / "model.safetensors", tensors)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--attention-layers", default="odd", metavar="odd|LIST")
    parser.add_argument("--full-attention-layers", default=[], type=parse_ids, metavar="LIST")
    parser.add_argument("--window", type=int, default=4096)
    parser.add_argument("--window-rule", choices=("report", "flash"), default="report")
    parser.add_argument("--gate-bias", type=float, default=0.0)
    parser.add_argument("--dtype", choices=("keep", *DTYPES), default="keep")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config, tensors = convert(*read_source(options.source), options.attention_layers, options.window,
                              options.gate_bias, options.window_rule, options.full_attention_layers, options.seed)
    if options.dtype != "keep":
        tensors = {name: tensor.to(DTYPES[options.dtype]) for name, tensor in tensors.items()}
    config["torch_dtype"] = str(tensors["model.embeddings.weight"].dtype).removeprefix("torch.")
    write(options.output, config, tensors)
    for name in TOKENIZER_FILES:
        if (Path(options.source) / name).exists():
            shutil.copy(Path(options.source) / name, Path(options.output) / name)


if __name__ == "__main__":
    main()
