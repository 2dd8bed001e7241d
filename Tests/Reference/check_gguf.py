"""GGUF exports read by the `gguf` package against the directories they were made from; exit 1 on a difference.

    python check_gguf.py PROGRAM WORK

A converted model in one file and in parts, the same calibrated to INT8, a model with experts and an unchanged source:
every tensor has the same shape and bytes; Q8_0 blocks hold the codes, and the float16 nearest to their scales; the
package's own dequantisation is code x scale; config.json and tokenizer.json are in the metadata.
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open

program, work = sys.argv[1], Path(sys.argv[2])
demo = Path(__file__).resolve().parents[2] / "demo"
tiny = demo / "tiny-qwen2"
failed = []
SIZES = {"F32": GGMLQuantizationType.F32, "F16": GGMLQuantizationType.F16, "BF16": GGMLQuantizationType.BF16}


def run(*arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check(name, ok, value=""):
    print("ok  " if ok else "FAIL", name, value, flush=True)
    if not ok:
        failed.append(name)


def stored(directory):
    """Type, shape and bytes of every tensor of safetensors files, read without a framework."""
    tensors = {}
    for path in sorted(directory.glob("*.safetensors")):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                tensors[name] = (entry["dtype"], entry["shape"], data[8 + length + start : 8 + length + end])
        with safe_open(path, "np") as file:
            assert set(file.keys()) <= set(tensors)
    return tensors


def compare(source, *options):
    out = work / f"{source.name}-gguf{len(options)}"
    run("export", source, out, "--profile", "gguf", "--quiet", *options)
    run("verify", out, "--source", source)
    paths = sorted(out.glob("*.gguf"))
    readers = [GGUFReader(path) for path in paths]
    first = readers[0]
    name = f"{source.name}, {len(paths)} files"
    config = json.loads(first.fields["spikingbrain.config"].contents())
    config.pop("torch_dtype", None)
    original = json.loads((source / "config.json").read_text())
    original.pop("torch_dtype", None)
    check(f"{name}: config.json", config == original and list(config) == list(original))
    check(f"{name}: architecture", first.fields["general.architecture"].contents() == "spikingbrain")
    check(f"{name}: block count", first.fields["spikingbrain.block_count"].contents() == config["num_hidden_layers"])
    if (source / "tokenizer.json").exists():
        inside = first.fields["tokenizer.huggingface.json"].contents()
        check(f"{name}: tokenizer.json", inside == (source / "tokenizer.json").read_text())
    tensors, equal, codes = stored(source), True, 0
    found = {tensor.name: tensor for reader in readers for tensor in reader.tensors}
    check(f"{name}: every tensor once", sum(len(reader.tensors) for reader in readers) == len(found)
          and set(found) == {n for n in tensors if n + "_scale" in tensors or not n.endswith("_scale")})
    for key, tensor in found.items():
        dtype, shape, data = tensors[key]
        equal &= [int(n) for n in tensor.shape] == shape[::-1]
        raw = np.asarray(tensor.data).tobytes()
        if dtype != "I8":
            equal &= tensor.tensor_type == SIZES[dtype] and raw == data
            continue
        codes += 1
        blocks = np.frombuffer(raw, np.uint8).reshape(shape[0], shape[1] // 32, 34)
        int8 = np.frombuffer(data, np.int8).reshape(shape)
        scales = np.frombuffer(tensors[key + "_scale"][2], "<f4").reshape(shape[0], -1)
        each = np.repeat(scales.astype("<f2"), shape[1] // 32 // scales.shape[1], axis=1)
        equal &= np.array_equal(blocks[..., 2:].view(np.int8).reshape(shape), int8)
        equal &= np.array_equal(blocks[..., :2].copy().view("<f2")[..., 0], each)
        values = dequantize(np.asarray(tensor.data), tensor.tensor_type)
        equal &= np.array_equal(values, int8 * np.repeat(each.astype("<f4"), 32, axis=1))
        equal &= tensor.tensor_type == GGMLQuantizationType.Q8_0
    check(f"{name}: shapes and bytes", equal, f"{len(found)} tensors, {codes} of codes")


shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
text = demo / "pride-and-prejudice-end.txt"
calibrate = ["--text", text, "--samples", 2, "--context", 64, "--weights", "int8", "--rounding", "nearest", "--quiet"]
run("convert", tiny, work / "c", "--window", 512, "--quiet")
for size in ("128", "channel"):
    run("calibrate", work / "c", work / f"q{size}", "--group-size", size, *calibrate)
run("upcycle", work / "c", work / "e", "--experts", 4, "--quiet")
for source in (tiny, work / "c", work / "q128", work / "qchannel", work / "e"):
    compare(source)
compare(work / "c", "--shard-size", "1MB")
sys.exit(bool(failed))
