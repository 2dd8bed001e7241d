"""Vectors of compressed-tensors directories, written by that library: formats/compressed-tensors/{valid,hostile}.

    python make_compressed.py
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from compressed_tensors.compressors.naive_quantized.base import IntQuantizationCompressor
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from checkpoint_io import write_tensors  # noqa: E402

FORMAT = Path(__file__).resolve().parent.parent.parent.parent / "formats/compressed-tensors"
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 8, "hidden_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "intermediate_size": 32,
    "hidden_act": "silu", "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "max_position_embeddings": 64,
    "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
}
WEIGHTS = {"num_bits": 8, "type": "int", "symmetric": True}
# By the name of the directory, which begins with that of the format.
SCHEMES = {
    "int-quantized": (IntQuantizationCompressor, QuantizationScheme(
        targets=["Linear"], weights=QuantizationArgs(**WEIGHTS, strategy="channel"),
        input_activations=QuantizationArgs(**WEIGHTS, strategy="token", dynamic=True))),
    "pack-quantized": (PackedQuantizationCompressor, QuantizationScheme(
        targets=["Linear"], weights=QuantizationArgs(**WEIGHTS, strategy="group", group_size=32))),
    "pack-quantized-4": (PackedQuantizationCompressor, QuantizationScheme(
        targets=["Linear"], weights=QuantizationArgs(**WEIGHTS | {"num_bits": 4}, strategy="group", group_size=32))),
}


def modules():
    """Name and shape of every projection."""
    for layer in range(2):
        prefix = f"model.layers.{layer}."
        for role, rows in (("q", 64), ("k", 16), ("v", 16), ("o", 64)):
            yield f"{prefix}self_attn.{role}_proj", (rows, 64)
        yield f"{prefix}mlp.gate_proj", (32, 64)
        yield f"{prefix}mlp.up_proj", (32, 64)
        yield f"{prefix}mlp.down_proj", (64, 32)


def make(name):
    """(stored tensors, decompressed projections, config) of a small random Qwen2."""
    compressor, scheme = SCHEMES[name]
    generator = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.randn(*shape, generator=generator).bfloat16()

    stored, decompressed = {"model.embed_tokens.weight": random(8, 64), "model.norm.weight": random(64)}, {}
    for layer in range(2):
        for norm in ("input", "post_attention"):
            stored[f"model.layers.{layer}.{norm}_layernorm.weight"] = random(64)
        for role, rows in (("q", 64), ("k", 16), ("v", 16)):
            stored[f"model.layers.{layer}.self_attn.{role}_proj.bias"] = random(rows)
    for module, shape in modules():
        weight = random(*shape)
        groups = weight.reshape(shape[0], -1, 32) if name.startswith("pack") else weight.unsqueeze(1)
        scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), scheme.weights)
        state = compressor.compress({"weight": weight, "weight_scale": scale, "weight_zero_point": zero}, scheme)
        for key, tensor in state.items():
            stored[f"{module}.{key}"] = tensor
        wide = state | {"weight_scale": state["weight_scale"].float()}
        decompressed[module + ".weight"] = compressor.decompress(wide, scheme)["weight"].float()
    written = QuantizationConfig(config_groups={"group_0": scheme}, format=name.removesuffix("-4"), quantization_status="compressed",
                                 ignore=["lm_head"])
    return stored, decompressed, CONFIG | {"quantization_config": json.loads(written.model_dump_json())}


def write(directory, tensors, config):
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    write_tensors(directory / "model.safetensors", tensors)


def hostile():
    """name -> (form, change of the tensors, what is said)."""
    q = "model.layers.0.self_attn.q_proj."
    k = "model.layers.1.self_attn.k_proj."
    said = "the configuration calls for"
    return {
        "missing-scale": ("int-quantized", lambda t: t.pop(q + "weight_scale"),
                          f"tensor {q}weight_scale [64, 1] is missing"),
        "scale-by-group": ("int-quantized", lambda t: t.update({q + "weight_scale": torch.ones(64, 2)}),
                           f"tensor {q}weight_scale in FILE has shape [64, 2], {said} [64, 1]"),
        "weight-in-floating-point": (
            "int-quantized", lambda t: t.update({q + "weight": t[q + "weight"].bfloat16()}),
            f"tensor {q}weight in FILE has type bfloat16, {said} int8"),
        "zero-point": ("int-quantized", lambda t: t.update({q + "weight_zero_point": torch.zeros(64, 1)}),
                       f"tensor {q}weight_zero_point in FILE is not part of this model"),
        "missing-codes": ("pack-quantized", lambda t: t.pop(k + "weight_packed"),
                          f"tensor {k}weight_packed [16, 16] is missing"),
        "short-codes": ("pack-quantized", lambda t: t.update({k + "weight_packed": t[k + "weight_packed"][:, :8]}),
                        f"tensor {k}weight_packed in FILE has shape [16, 8], {said} [16, 16]"),
        "codes-of-bytes": ("pack-quantized", lambda t: t.update({k + "weight_packed": t[k + "weight_packed"].to(torch.int8)}),
                           f"tensor {k}weight_packed in FILE has type int8, {said} int32"),
        "too-few-words": ("pack-quantized-4", lambda t: t.update({k + "weight_packed": t[k + "weight_packed"][:, :4]}),
                          f"tensor {k}weight_packed in FILE has shape [16, 4], {said} [16, 8]"),
        "missing-shape": ("pack-quantized", lambda t: t.pop(k + "weight_shape"),
                          f"tensor {k}weight_shape [2] is missing"),
        "wrong-shape": ("pack-quantized", lambda t: t.update({k + "weight_shape": torch.tensor([64, 16])}),
                        f"tensor {k}weight_shape in FILE says [64, 16], {said} [16, 64]"),
    }


def main():
    for part in ("valid", "hostile"):
        shutil.rmtree(FORMAT / part, ignore_errors=True)
    for name in SCHEMES:
        stored, decompressed, config = make(name)
        write(FORMAT / "valid" / name, stored, config)
        write_tensors(FORMAT / f"valid/{name}.decompressed.safetensors", decompressed)
    lines = []
    for name, (form, change, said) in hostile().items():
        stored, _, config = make(form)
        change(stored)
        write(FORMAT / "hostile" / name, stored, config)
        lines.append(f"{name}: {said}\n")
    (FORMAT / "hostile/EXPECTED.txt").write_text("".join(sorted(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
