"""Exports of demo/tiny-qwen2 read by the libraries they are for, on the CPU; exit 1 on a difference.

    python check_exports.py PROGRAM WORK [TEXT]

transformers loads the `hf` export with equal logits. compressed-tensors parses the configurations of `w8a8` and
`w8a16-g128`, decompresses every projection to exactly code x scale, and loads them into transformers. The codes of a
calibrated model leave unchanged in all INT8 forms. With TEXT, `w8aspike_reference.py` and the program give a converted
model's w8aspike export the same perplexity to 0.2 %.
"""
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationConfig
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from w8aspike_reference import SUFFIX, W8ASpike  # noqa: E402

program, work = sys.argv[1], Path(sys.argv[2])
text = sys.argv[3] if len(sys.argv) > 3 else None
demo = Path(__file__).resolve().parents[3] / "demo"
failed = []


def run(*arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def export(source, profile, *options):
    out = work / f"{Path(source).name}-{profile}"
    run("export", source, out, "--profile", profile, "--quiet", *options)
    return out


def check(name, ok, value=""):
    print("ok  " if ok else "FAIL", name, value, flush=True)
    if not ok:
        failed.append(name)


def logits(directory):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.arange(1, 65).unsqueeze(0)).logits[0]


def program_logits(directory):
    run("logits", directory, "--tokens", ",".join(map(str, range(1, 65))), "--output", work / "l.safetensors")
    return load_file(str(work / "l.safetensors"))["logits"]


def difference(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def unpack(words, columns):
    return ((words.unsqueeze(-1) >> torch.tensor([0, 8, 16, 24])) & 255).reshape(len(words), -1)[:, :columns] - 128


def compressed(directory, codes=None):
    """Every projection by the library against code x scale, and the codes against `codes` where they are given."""
    config = json.loads((directory / "config.json").read_text())["quantization_config"]
    parsed = QuantizationConfig.model_validate(config)
    scheme = parsed.config_groups["group_0"]
    compressor = BaseCompressor.get_value_from_registry(parsed.format)
    tensors, exact, equal, count = load_file(str(directory / "model.safetensors")), True, True, 0
    for name in [n.removesuffix("_scale") for n in tensors if n.endswith(".weight_scale")]:
        state = {key.removeprefix(name.removesuffix("weight")): value for key, value in tensors.items()
                 if key == name or key.startswith(name + "_")}
        scale = state["weight_scale"]
        stored = state["weight"] if "weight" in state else unpack(
            state["weight_packed"], int(state["weight_shape"][1]))
        wide = scale.repeat_interleave(stored.shape[1] // scale.shape[1], 1)
        values = compressor.decompress(dict(state), scheme)["weight"]
        exact &= torch.equal(values, stored.to(scale.dtype) * wide)
        equal &= codes is None or torch.equal(stored.to(torch.int8), codes[name])
        count += 1
    check(f"{directory.name}: compressed-tensors decompresses to code x scale", exact and count == 56, count)
    if codes is not None:
        check(f"{directory.name}: the codes are those that were calibrated", equal and count == len(codes), count)


shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
torch.set_num_threads(2)
tiny = demo / "tiny-qwen2"
hf = export(tiny, "hf")
check("hf: transformers computes the source's logits", torch.equal(logits(hf), logits(tiny)))
for profile in ("w8a8", "w8a16-g128"):
    out = export(tiny, profile)
    compressed(out)
    # The library's own run rounds activations in w8a8: a few tenths of a percent, not zero.
    far = difference(logits(out), program_logits(out))
    check(f"{profile}: transformers with compressed-tensors against the program", far < 0.1, f"{far:.1e}")

run("convert", tiny, work / "c", "--window", 512, "--quiet")
for size, profiles in (("128", ("w8a16-g128", "w8aspike")), ("channel", ("w8a8", "w8a16-g128", "w8aspike"))):
    calibrated = work / f"q{size}"
    run("calibrate", work / "c", calibrated, "--text", demo / "pride-and-prejudice-end.txt", "--samples", 2, "--context",
        64, "--weights", "int8", "--group-size", size, "--rounding", "search", "--query-k", 3, "--kv", "int8", "--quiet")
    stored = load_file(str(calibrated / "model.safetensors"))
    codes = {name: stored[name] for name in stored if stored[name].dtype == torch.int8}
    for profile in profiles:
        out = export(calibrated, profile)
        if profile != "w8aspike":
            compressed(out, codes)
            continue
        tensors = load_file(str(out / "model.safetensors"))
        found = {name: (tensors[name].reshape(len(tensors[name]), -1, 128) / tensors[name + SUFFIX]).round()
                 for name in codes}
        check(f"{out.name}: round(w / s) are the codes that were calibrated",
              all(torch.equal(found[name].reshape(codes[name].shape), codes[name].float()) for name in codes), len(codes))
if text:
    out = export(work / "c", "w8aspike")
    ids = json.loads(subprocess.run([program, "tokenize", tiny], input=open(text, "rb").read(), capture_output=True,
                                    check=True).stdout)[:512]
    model, total = W8ASpike(out), 0.0
    for start in range(0, len(ids), 128):
        part = ids[start : start + 128]
        rows = model.run(part)["logits"][:-1].double()
        total += torch.nn.functional.cross_entropy(rows, torch.tensor(part[1:]), reduction="sum").item()
    theirs = math.exp(total / (len(ids) - 4))
    ours = json.loads(run("evaluate", out, "--text", text, "--tokens", 512, "--context", 128, "--json"))["perplexity"]
    check("w8aspike: perplexity in PyTorch and in the program", abs(ours / theirs - 1) < 0.002, f"{theirs:.3f} {ours:.3f}")
sys.exit(bool(failed))
