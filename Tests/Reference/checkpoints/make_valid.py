"""Writes the golden files under formats/*/valid with the reference libraries.

Run from the repository root with `safetensors`, `gguf`, `numpy` and `torch` installed. The values
are a formula of the element's index, so that the tests can state them without reading this file.
"""

import argparse
import collections
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[3] / "formats"


def ramp(*shape):
    """0, 1/8, 2/8, … : exact in every float type used here."""
    count = int(np.prod(shape))
    return (np.arange(count, dtype=np.float32) / 8).reshape(shape)


def every_type():
    values = torch.from_numpy(ramp(2, 3))
    types = {
        "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
        "i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "i8": torch.int8,
        "u8": torch.uint8, "bool": torch.bool,
    }
    tensors = {name: (values * 8).to(t) if "f" not in name else values.to(t)
               for name, t in types.items()}
    tensors["scalar"] = torch.tensor(7.0)
    tensors["empty"] = torch.zeros(0, 4)
    return tensors


def write_sharded(folder, stem, suffix, save):
    """Two shards and their index, in the naming of `transformers`."""
    folder.mkdir(exist_ok=True)
    values = torch.from_numpy(ramp(2, 3))
    parts = {
        f"{stem}-00001-of-00002{suffix}": {"a.weight": values, "b.weight": values.half()},
        f"{stem}-00002-of-00002{suffix}": {"c.weight": values.bfloat16()},
    }
    for name, part in parts.items():
        save(part, folder / name)
    index = {
        "metadata": {"total_size": 24 + 12 + 12},
        "weight_map": {tensor: name for name, part in parts.items() for tensor in part},
    }
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    (folder / f"{stem}{suffix}.index.json").write_text(text)


def write_pytorch(folder):
    folder.mkdir(parents=True, exist_ok=True)
    whole = torch.arange(6, dtype=torch.float32).view(2, 3)
    state = collections.OrderedDict(every_type())
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    state["transposed"] = whole.t()
    state["column"] = whole[:, 1]
    state["second row"] = whole[1]
    state["parameter"] = torch.nn.Parameter(torch.from_numpy(ramp(2, 3)))
    state["not a tensor"] = ["text", 1, -1, 2**40, 2**80, 1.5, None, True, b"bytes", (1, 2, 3, 4)]
    torch.save(state, folder / "types.pt")
    torch.save(dict(state), folder / "protocol-4.pt", pickle_protocol=4)
    wrapped = {"args": argparse.Namespace(lr=0.1), "iteration": 3, "model": state,
               "size": whole.shape, "device": torch.device("cpu"), "dtype": torch.bfloat16}
    torch.save(wrapped, folder / "wrapped.pt")
    nested = {"step": torch.tensor(3), "loss": np.float32(1.5), "history": np.arange(3.0),
              "checkpoint": {"state_dict": dict(state), "best": np.int64(7)}}
    torch.save(nested, folder / "nested.pt", pickle_protocol=5)

    write_sharded(folder / "sharded", "pytorch_model", ".bin", torch.save)


def write_safetensors(folder):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(every_type(), folder / "types.safetensors", metadata={"format": "pt", "note": "é\n"})
    write_sharded(folder / "sharded", "model", ".safetensors",
                  lambda part, path: save_file(part, path, metadata={"format": "pt"}))


def write_gguf(folder):
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / "types.gguf", "llama")
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 2**63 + 1)
    writer.add_int64("test.i64", -(2**62))
    writer.add_float32("test.f32", 1e-5)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "é\n")
    writer.add_array("test.ints", [1, 2, 3])
    writer.add_array("test.strings", ["a", "", "ö"])
    writer.add_array("test.floats", [0.5, 1e-6])
    writer.add_array("test.nested", [[1, 2], [3]])
    writer.add_tensor("f32", ramp(2, 3))
    writer.add_tensor("f16", ramp(2, 3).astype(np.float16))
    writer.add_tensor("f64", ramp(2, 3).astype(np.float64))
    for name, dtype in [("i8", np.int8), ("i16", np.int16), ("i32", np.int32), ("i64", np.int64)]:
        writer.add_tensor(name, (ramp(2, 3) * 8).astype(dtype))
    kinds = gguf.GGMLQuantizationType
    for name in ["BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
        data = gguf.quants.quantize(ramp(2, 64), kinds[name])
        writer.add_tensor(name.lower(), data, raw_dtype=kinds[name])
    for name in ["Q4_K", "Q5_K", "Q6_K"]:
        # The library has no quantiser for these; any bytes are a valid block.
        size = gguf.GGML_QUANT_SIZES[kinds[name]][1]
        data = (np.arange(2 * size) % 251).astype(np.uint8).reshape(2, size)
        writer.add_tensor(name.lower(), data, raw_dtype=kinds[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


write_safetensors(ROOT / "safetensors" / "valid")
write_gguf(ROOT / "gguf" / "valid")
write_pytorch(ROOT / "pytorch" / "valid")
