"""Write a source directory as a GGUF file: permuted q/k for llama and mistral, rope_freqs for Llama 3 scaling,
keys for YaRN.

The tokenizer is a byte-level BPE of 256 bytes and one merge per further id, so that the file is complete.
"""
import argparse

import gguf
import torch
from tokenizers import pre_tokenizers

from checkpoint_io import GGUF_LAYER_NAMES, GGUF_TOP_NAMES, TensorFiles, read_config, rope_of
from spikingbrain_reference import inverse_frequencies

LAYER_NAMES = {name: short for short, name in GGUF_LAYER_NAMES.items()}
TOP_NAMES = {name: short for short, name in GGUF_TOP_NAMES.items()}


def permute(weight, heads):
    """Half-split row order -> the interleaved order of llama-architecture files."""
    half = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, half, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def gguf_name(name):
    """model.layers.3.mlp.up_proj.weight -> blk.3.ffn_up.weight."""
    stem, suffix = name.rsplit(".", 1)
    if stem.startswith("model.layers."):
        _, _, number, role = stem.split(".", 3)
        return f"blk.{number}.{LAYER_NAMES[role]}.{suffix}"
    return f"{TOP_NAMES[stem]}.{suffix}"


def add_tokenizer(writer, size):
    """Tokens 0...255 are bytes, the others pairs of letters."""
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [f"{a} {b}" for a in "etaoin" for b in "abcdefghijklmnop"][:size - len(tokens)]
    tokens += [merge.replace(" ", "") for merge in merges]
    tokens += [f"<|unused_{n}|>" for n in range(len(tokens), size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)


def add_yarn(writer, scaling):
    """The keys that llama.cpp's converter writes of YaRN, and the log multiplier that its loader knows."""
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(scaling["factor"])
    if length := scaling.get("original_max_position_embeddings"):
        writer.add_rope_scaling_orig_ctx_len(length)
    if "beta_fast" in scaling:
        writer.add_rope_scaling_yarn_beta_fast(scaling["beta_fast"])
    if "beta_slow" in scaling:
        writer.add_rope_scaling_yarn_beta_slow(scaling["beta_slow"])
    if below := scaling.get("mscale_all_dim"):
        assert scaling.get("mscale") == 1.0, "the loader takes mscale to be 1"
        writer.add_rope_scaling_yarn_log_mul(below)
    assert not scaling.get("attention_factor"), "the loader computes it"


def make(source, output, kind="F32"):
    """Write the file; matrices whose rows hold whole blocks get the type `kind`, everything else stays F32."""
    config, files = read_config(source), TensorFiles(source)
    arch = "llama" if config["model_type"] == "mistral" else config["model_type"]
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    dim = config.get("head_dim") or config["hidden_size"] // heads
    theta, scaling = rope_of(config)
    writer = gguf.GGUFWriter(str(output), arch)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(theta)
    writer.add_vocab_size(config["vocab_size"])
    add_tokenizer(writer, config["vocab_size"])
    if dim != config["hidden_size"] // heads:
        writer.add_key_length(dim)
        writer.add_value_length(dim)
    if scaling and scaling["rope_type"] == "llama3":
        factors = inverse_frequencies(theta, dim, None) / inverse_frequencies(theta, dim, scaling)
        writer.add_tensor("rope_freqs.weight", factors.numpy())
    elif scaling and scaling["rope_type"] == "yarn":
        add_yarn(writer, scaling)
    elif scaling:
        raise ValueError(f"no GGUF form here for rope scaling {scaling['rope_type']}")
    wanted = gguf.GGMLQuantizationType[kind]
    for name in files:
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        value = files.take(name).float()
        if arch == "llama" and (".q_proj." in name or ".k_proj." in name):
            value = permute(value, heads if ".q_proj." in name else kv_heads)
        value = value.contiguous().numpy()
        whole = value.ndim == 2 and value.shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] == 0
        stored = wanted if whole else gguf.GGMLQuantizationType.F32
        writer.add_tensor(gguf_name(name), gguf.quantize(value, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--type", default="F32", choices=("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"))
    options = parser.parse_args()
    torch.set_num_threads(2)
    make(options.source, options.output, options.type)


if __name__ == "__main__":
    main()
