"""demo/tiny-qwen2 as HDF5 weights that h5py wrote, in every way that is read: the program's logits must not change.

    python check_hdf5.py PROGRAM WORK
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

program, work = sys.argv[1], Path(sys.argv[2])
tiny = Path(__file__).resolve().parents[2] / "demo" / "tiny-qwen2"
WAYS = {
    "contiguous": {}, "chunked": {"chunks": True}, "deflate": {"compression": "gzip", "shuffle": True, "fletcher32": True},
}


def run(*arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tensors():
    for path in sorted(tiny.glob("*.safetensors")):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                kind = {"BF16": "<u2", "F32": "<f4", "F16": "<f2"}[entry["dtype"]]
                array = np.frombuffer(data[8 + length + start : 8 + length + end], kind).reshape(entry["shape"])
                yield name, array, entry["dtype"] == "BF16"


def logits(directory):
    out = work / "logits.safetensors"
    run("logits", directory, "--tokens", ",".join(map(str, range(1, 65))), "--output", out)
    return out.read_bytes()


shutil.rmtree(work, ignore_errors=True)
expected, failed = None, False
for way, options in WAYS.items():
    for keras in (False, True):
        directory = work / f"{way}-{keras}"
        shutil.copytree(tiny, directory, ignore=shutil.ignore_patterns("*.safetensors*"))
        with h5py.File(directory / "model.weights.h5", "w") as file:
            for name, array, is_bfloat16 in tensors():
                path = f"layers/{name}/vars/0" if keras else name
                data = array.view("V2") if keras and is_bfloat16 else array
                dataset = file.create_dataset(path, data=data, **options)
                if is_bfloat16:
                    dataset.attrs["dtype"] = "bfloat16"
        expected = expected or logits(tiny)
        same = logits(directory) == expected
        failed |= not same
        print("ok  " if same else "FAIL", way, "keras" if keras else "plain", flush=True)
sys.exit(failed)
