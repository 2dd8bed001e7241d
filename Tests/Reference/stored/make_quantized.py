"""Small Llama directories in the quantised forms of other libraries, and the float32 weights that they
stand for, computed here with numpy from the definitions of the formats.

    python make_quantized.py OUTPUT

Writes OUTPUT/<form>/ (config.json, model.safetensors) and OUTPUT/<form>.expected.safetensors; with
--fixtures, which writes Tests/Fixtures/stored, only SHA-256 of the expected tensors."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HIDDEN, HEADS, KV, FFN, VOCABULARY, LAYERS = 32, 4, 2, 96, 16, 1
PROJECTIONS = {
    "self_attn.q_proj": (HIDDEN, HIDDEN), "self_attn.k_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.v_proj": (HIDDEN // 2, HIDDEN), "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (FFN, HIDDEN), "mlp.up_proj": (FFN, HIDDEN), "mlp.down_proj": (HIDDEN, FFN),
}
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
    "intermediate_size": FFN, "num_attention_heads": HEADS, "num_key_value_heads": KV,
    "num_hidden_layers": LAYERS, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "max_position_embeddings": 128, "hidden_act": "silu",
    "tie_word_embeddings": True, "torch_dtype": "float16",
}


def words(codes: np.ndarray, bits: int, axis: int, order=None) -> np.ndarray:
    """Codes along an axis, 32 / bits of them in a word, the first (or that `order` puts first) lowest."""
    per = 32 // bits
    codes = np.moveaxis(codes.astype(np.uint32), axis, -1)
    codes = codes.reshape(*codes.shape[:-1], -1, per)
    places = np.arange(per) if order is None else np.asarray(order)
    packed = np.zeros(codes.shape[:-1], np.uint32)
    for place, which in enumerate(places):
        packed |= codes[..., which] << np.uint32(bits * place)
    return np.moveaxis(packed, -1, axis).view(np.int32)


def grouped(rng, rows, columns, bits, size, least=0):
    groups = -(-columns // size)
    scales = rng.uniform(0.002, 0.02, (groups, rows)).astype(np.float16)
    zeros = rng.integers(least, 2**bits, (groups, rows))
    codes = rng.integers(0, 2**bits, (columns, rows))
    return scales, zeros, codes


def values(scales, zeros, codes, index):
    return ((codes - zeros[index]).astype(np.float32) * scales[index].astype(np.float32)).T


def gptq(bits=4, size=32, version=1, reorders=False, has_index=True):
    def make(rng, rows, columns):
        group = size if size > 0 else columns
        # Readers differ in what a stored zero point of all ones means in version 1: 2^bits or 0.
        scales, zeros, codes = grouped(rng, rows, columns, bits, group, least=2 - version)
        index = np.arange(columns) // group
        if reorders:
            index = rng.permutation(index)
        stored = (zeros - 1) % 2**bits if version == 1 else zeros
        parts = {
            "qweight": words(codes, bits, 0), "qzeros": words(stored, bits, 1), "scales": scales,
        }
        if has_index:
            parts["g_idx"] = index.astype(np.int32)
        return parts, values(scales, zeros, codes, index)

    config = {
        "quant_method": "gptq", "bits": bits, "group_size": size, "desc_act": reorders,
        "sym": False, "checkpoint_format": "gptq" if version == 1 else "gptq_v2",
    }
    return make, config


def awq(size=32):
    def make(rng, rows, columns):
        scales, zeros, codes = grouped(rng, rows, columns, 4, size)
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        parts = {
            "qweight": words(codes, 4, 1, order), "qzeros": words(zeros, 4, 1, order),
            "scales": scales,
        }
        return parts, values(scales, zeros, codes, np.arange(columns) // size)

    return make, {
        "quant_method": "awq", "bits": 4, "group_size": size, "zero_point": True, "version": "gemm",
        "modules_to_not_convert": None,
    }


def float8(block=None, per_row=False, name="weight_scale", config=None, dtype=torch.float32):
    def make(rng, rows, columns):
        codes = torch.from_numpy(rng.normal(0, 60, (rows, columns)).astype(np.float32))
        codes = codes.to(torch.float8_e4m3fn)
        shape = (1,)
        if per_row:
            shape = (rows, 1)
        if block:
            shape = (-(-rows // block[0]), -(-columns // block[1]))
        scales = torch.from_numpy(rng.uniform(1e-4, 1e-3, shape).astype(np.float32)).to(dtype)
        full = scales.float()
        if block:
            full = full.repeat_interleave(block[0], 0)[:rows]
            full = full.repeat_interleave(block[1], 1)[:, :columns]
        parts = {"weight": codes, name: scales}
        if config["quant_method"] == "fp8" and not block:
            parts["input_scale"] = torch.tensor([0.5])
        return parts, (codes.float() * full).numpy()

    return make, config


def compressed(strategy):
    return {
        "quant_method": "compressed-tensors", "format": "float-quantized",
        "quantization_status": "compressed", "kv_cache_scheme": None, "ignore": ["lm_head"],
        "config_groups": {"group_0": {
            "targets": ["Linear"], "output_activations": None,
            "weights": {"num_bits": 8, "type": "float", "symmetric": True, "strategy": strategy,
                        "dynamic": False, "group_size": None, "actorder": None},
            "input_activations": {"num_bits": 8, "type": "float", "symmetric": True,
                                  "strategy": "token", "dynamic": True},
        }},
    }


NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
]


def bnb4(nested=False, size=64):
    def make(rng, rows, columns):
        count = rows * columns
        codes = rng.integers(0, 16, count).astype(np.uint8)
        table = np.array(NF4, np.float32)
        blocks = -(-count // size)
        state = {"quant_type": "nf4", "blocksize": size, "dtype": "float16", "shape": [rows, columns]}
        parts = {"weight": (codes[0::2] << 4 | codes[1::2]).reshape(-1, 1), "weight.quant_map": table}
        if nested:
            inner = rng.integers(0, 256, blocks).astype(np.uint8)
            outer = rng.uniform(0.01, 0.02, -(-blocks // 16)).astype(np.float32)
            map256 = np.sort(rng.uniform(-1, 1, 256)).astype(np.float32)
            state |= {"nested_blocksize": 16, "nested_dtype": "float32", "nested_offset": 0.0417}
            scales = map256[inner] * outer[np.arange(blocks) // 16] + np.float32(0.0417)
            parts |= {"weight.absmax": inner, "weight.nested_absmax": outer,
                      "weight.nested_quant_map": map256}
        else:
            scales = rng.uniform(0.02, 0.1, blocks).astype(np.float32)
            parts["weight.absmax"] = scales
        text = np.frombuffer(json.dumps(state).encode(), np.uint8).copy()
        parts["weight.quant_state.bitsandbytes__nf4"] = text
        full = table[codes] * scales[np.arange(count) // size]
        return parts, full.reshape(rows, columns)

    return make, {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


def bnb8():
    def make(rng, rows, columns):
        codes = rng.integers(-127, 128, (rows, columns)).astype(np.int8)
        scales = rng.uniform(0.02, 0.1, rows).astype(np.float32)
        parts = {"weight": codes, "SCB": scales, "weight_format": np.array(0, np.uint8)}
        return parts, codes.astype(np.float32) * scales[:, None] * np.float32(1 / 127)

    return make, {"quant_method": "bitsandbytes", "load_in_8bit": True}


FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3"}
FORMS = {
    "gptq-4": gptq(), "gptq-8": gptq(8), "gptq-2": gptq(2), "gptq-all-inputs": gptq(size=-1),
    "gptq-reordered": gptq(reorders=True), "gptq-v2": gptq(version=2),
    "gptq-without-index": gptq(has_index=False), "awq": awq(),
    "fp8-block": float8([16, 24], name="weight_scale_inv", config=FP8 | {"weight_block_size": [16, 24]}),
    "fp8-block-bf16": float8([128, 128], name="weight_scale_inv", dtype=torch.bfloat16,
                             config=FP8 | {"weight_block_size": [128, 128]}),
    "fp8-tensor": float8(config=FP8 | {"activation_scheme": "static"}),
    "compressed-fp8-tensor": float8(config=compressed("tensor"), dtype=torch.bfloat16),
    "compressed-fp8-channel": float8(per_row=True, config=compressed("channel")),
    "bnb-nf4": bnb4(), "bnb-nf4-nested": bnb4(True), "bnb-int8": bnb8(),
}


def tensor(array):
    return array if isinstance(array, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(array))


def write(output: Path, name: str):
    make, quantization = FORMS[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    plain = {
        "model.embed_tokens.weight": rng.normal(0, 0.1, (VOCABULARY, HIDDEN)).astype(np.float16),
        "model.norm.weight": np.ones(HIDDEN, np.float16),
    }
    stored, expected = {}, {}
    for layer in range(LAYERS):
        base = f"model.layers.{layer}."
        for norm in ["input_layernorm", "post_attention_layernorm"]:
            plain[f"{base}{norm}.weight"] = rng.uniform(0.5, 1.5, HIDDEN).astype(np.float16)
        for projection, (rows, columns) in PROJECTIONS.items():
            parts, full = make(rng, rows, columns)
            stored |= {f"{base}{projection}.{part}": tensor(a) for part, a in parts.items()}
            expected[f"{base}{projection}.weight"] = tensor(full.astype(np.float32))
    plain = {key: tensor(value) for key, value in plain.items()}
    directory = output / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(
        json.dumps(CONFIG | {"quantization_config": quantization}, indent=1))
    save_file(stored | plain, directory / "model.safetensors", {"format": "pt"})
    save_file(
        expected | {key: value.float() for key, value in plain.items()},
        output / f"{name}.expected.safetensors", {"format": "pt"})


def fixtures(output: Path):
    digests = {}
    for name in FORMS:
        write(output, name)
        expected = output / f"{name}.expected.safetensors"
        digests[name] = {
            key: hashlib.sha256(value.numpy().tobytes()).hexdigest()
            for key, value in sorted(load_file(expected).items())
        }
        expected.unlink()
    (output / "expected.json").write_text(json.dumps(digests, indent=1) + "\n")


def main():
    if sys.argv[1] == "--fixtures":
        output = Path(__file__).resolve().parents[2] / "Fixtures/stored"
        shutil.rmtree(output, ignore_errors=True)
        return fixtures(output)
    output = Path(sys.argv[1])
    for name in sys.argv[2:] or FORMS:
        write(output, name)


if __name__ == "__main__":
    main()
