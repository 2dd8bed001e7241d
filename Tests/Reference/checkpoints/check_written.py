"""Opens a model directory that this program wrote with the reference library and compares every
tensor with the bytes that the header and the index promise.

    check_written.py [DIRECTORY]      (default: the vector formats/safetensors/valid/written)
"""

import json
import struct
import sys
from pathlib import Path

import torch
from safetensors import safe_open

DEFAULT = Path(__file__).resolve().parents[3] / "formats/safetensors/valid/written"
TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}


def check_file(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    assert (8 + length) % 64 == 0, f"{path}: data does not start at a multiple of 64"
    assert header.pop("__metadata__") == {"format": "pt"}
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(header), path
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            tensor = file.get_tensor(name)
            assert tensor.dtype == TYPES[entry["dtype"]], name
            assert list(tensor.shape) == entry["shape"], name
            raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            assert raw == data[8 + length + begin:8 + length + end], name
            assert begin % tensor.element_size() == 0, f"{name} is not aligned"
    return {name: entry["data_offsets"][1] - entry["data_offsets"][0]
            for name, entry in header.items()}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    index_path = folder / "model.safetensors.index.json"
    if index_path.exists():
        index = json.loads(index_path.read_text())
        files = sorted(set(index["weight_map"].values()))
        text = json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        assert index_path.read_text() == text, "the index is not in canonical form"
    else:
        index, files = None, ["model.safetensors"]
    sizes = {}
    for name in files:
        part = check_file(folder / name)
        if index:
            assert all(index["weight_map"][tensor] == name for tensor in part)
        assert not set(part) & set(sizes)
        sizes.update(part)
    if index:
        assert set(sizes) == set(index["weight_map"])
        assert sum(sizes.values()) == index["metadata"]["total_size"]
    print(f"{folder}: {len(files)} files, {len(sizes)} tensors, {sum(sizes.values())} bytes: same")


main()
