"""Vectors of the W8ASpike variant: formats/w8aspike/{valid,hostile} and Tests/Fixtures/logits/w8aspike.safetensors.

    python make_w8aspike.py --program ../../../.build/release/spikingbrain --work /tmp/w8aspike

The committed directories are tiny and have one scale per row (the public quantiser without groups). The golden logits
belong to a model with groups of 128 that tests let the program make: synthesised, exported, every third row's scales
halved so that its codes reach 254.
"""
import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

TESTS = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TESTS / "Reference"))

from checkpoint_io import write_tensors  # noqa: E402
from w8aspike_reference import SUFFIX, W8ASpike  # noqa: E402

FORMAT = TESTS.parent / "formats/w8aspike"
CONFIG = {
    "architectures": ["GLAswaForCausalLM"], "model_type": "gla_swa", "vocab_size": 8, "hidden_size": 16,
    "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 16,
    "hidden_act": "swish", "norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4, "attn_layers": [1],
    "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False, "dynamic_sfr": 2.5, "torch_dtype": "bfloat16",
}


def tiny():
    """All tensors of CONFIG, bfloat16, scales such that some codes lie beyond 127."""
    generator = torch.Generator().manual_seed(7)
    tensors = {}

    def add(name, *shape, scaled=False):
        value = torch.randn(*shape, generator=generator) / shape[-1] ** 0.5
        tensors[name] = (value + 1 if "norm" in name else value).bfloat16()
        if scaled:
            largest = tensors[name].float().abs().amax(1, keepdim=True)
            tensors[name + SUFFIX] = largest / torch.linspace(90, 200, len(largest)).unsqueeze(1)

    add("model.embeddings.weight", 8, 16)
    for layer in range(2):
        prefix = f"model.layers.{layer}."
        add(prefix + "attn_norm.weight", 16)
        rows = {"q": 16, "k": 8, "v": 8} | ({"gk": 8} if layer == 0 else {})
        for role, count in rows.items():
            add(f"{prefix}attn.{role}_proj.weight", count, 16, scaled=True)
            add(f"{prefix}attn.{role}_proj.bias", count)
        add(prefix + "attn.o_proj.weight", 16, 16, scaled=True)
        if layer == 0:
            add(prefix + "attn.g_norm.weight", 8)
        add(prefix + "mlp_norm.weight", 16)
        for role in ("gate", "up", "down"):
            add(f"{prefix}mlp.{role}_proj.weight", 16, 16, scaled=True)
    add("model.norm.weight", 16)
    add("lm_head.weight", 8, 16)
    return tensors


def write(directory, tensors, config=CONFIG):
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write_tensors(directory / "model.safetensors", tensors)


def hostile():
    """name -> (change of the tensors, changed keys of the configuration, what is said)."""
    value = "model.layers.0.attn.v_proj.weight" + SUFFIX
    down = "model.layers.1.mlp.down_proj.weight" + SUFFIX
    gate = "model.layers.0.attn.gk_proj."

    def low_rank(tensors):
        bias = tensors.pop(gate + "bias")
        tensors.pop(gate + "weight"), tensors.pop(gate + "weight" + SUFFIX)
        tensors |= {gate + "0.weight": torch.ones(16, 16).bfloat16(), gate + "1.weight": torch.ones(8, 16).bfloat16(),
                    gate + "1.bias": bias}

    return {
        "missing-scale": (lambda t: t.pop(value), {}, f"tensor {value} [8, 1] is missing"),
        "missing-scale-of-down": (lambda t: t.pop(down), {}, f"tensor {down} [16, 1] is missing"),
        "shape-of-scale": (lambda t: t.update({value: t[value][:4]}), {},
                           f"tensor {value} in FILE has shape [4, 1], the configuration calls for [8, 1]"),
        "type-of-scale": (lambda t: t.update({value: t[value].bfloat16()}), {},
                          f"tensor {value} in FILE has type bfloat16, the configuration calls for float32"),
        "low-rank-gate": (low_rank, {}, f"tensor {gate}weight{SUFFIX} [8, 1] is missing"),
        "scale-of-head": (lambda t: t.update({"lm_head.weight" + SUFFIX: torch.ones(8, 1)}), {},
                          f"tensor lm_head.weight{SUFFIX} in FILE is not part of this model"),
        "zero-k": (lambda t: None, {"dynamic_sfr": 0}, '"dynamic_sfr" is 0, expected more than 0'),
        "k-of-text": (lambda t: None, {"dynamic_sfr": "3"}, '"dynamic_sfr" must be a number, not "3"'),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True, type=Path)
    options = parser.parse_args()
    torch.set_num_threads(2)
    for part in ("valid", "hostile"):
        shutil.rmtree(FORMAT / part, ignore_errors=True)
    write(FORMAT / "valid/by-row", tiny())
    tokens = [1, 5, 3, 7, 2, 6, 4]
    result = W8ASpike(FORMAT / "valid/by-row").run(tokens)
    write_tensors(FORMAT / "valid/by-row.logits.safetensors",
                  {"tokens": torch.tensor(tokens, dtype=torch.int32), "logits": result["logits"]})
    lines = []
    for name, (change, keys, said) in hostile().items():
        tensors = tiny()
        change(tensors)
        write(FORMAT / "hostile" / name, tensors, CONFIG | keys)
        lines.append(f"{name}: {said}\n")
    (FORMAT / "hostile/EXPECTED.txt").write_text("".join(sorted(lines)), encoding="utf-8")

    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)

    def program(*arguments):
        subprocess.run([options.program, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)

    program("synthesize", TESTS / "Fixtures/configs/w8aspike.json", options.work / "s", "--seed", 1, "--dtype", "float32")
    program("export", options.work / "s", options.work / "w", "--profile", "w8aspike")
    tensors = load_file(str(options.work / "w/model.safetensors"))
    largest = 0
    for name in tensors:
        if name.endswith(SUFFIX):
            tensors[name][::3] *= 0.5
            weight = tensors[name.removesuffix(SUFFIX)]
            largest = max(largest, (weight.reshape(len(weight), -1, 128) / tensors[name]).abs().max().item())
    write_tensors(options.work / "w/model.safetensors", tensors)
    tokens = [(7 * n * n + 3) % 96 for n in range(1, 11)]
    result = W8ASpike(options.work / "w").run(tokens)
    write_tensors(TESTS / "Fixtures/logits/w8aspike.safetensors", {
        "tokens": torch.tensor(tokens, dtype=torch.int32), "logits": result["logits"], "hidden": result["hidden.3"]})
    print(f"largest code {largest:.1f}, largest logit {result['logits'].abs().max():.3f}")


if __name__ == "__main__":
    main()
