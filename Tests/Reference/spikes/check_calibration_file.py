"""calibration.h5 with each compression in h5py, without and with hdf5plugin.

python check_calibration_file.py PROGRAM CHECKPOINT TEXT

Without the plugin a zstd file must open and show its attributes, shapes and the attributes of its
datasets, and fail only when numbers are read; with it, every number must be that of the deflate
file. Exit 1 otherwise.
"""

import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

program, checkpoint, text = sys.argv[1:4]


def datasets(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


with tempfile.TemporaryDirectory() as work:
    paths = {}
    for compression in ["deflate", "zstd"]:
        out = pathlib.Path(work) / compression
        subprocess.run([program, "calibrate", checkpoint, out, "--text", text, "--samples", "2", "--k", "auto",
                        "--compression", compression, "--quiet", "--json"], check=True, stdout=subprocess.DEVNULL)
        paths[compression] = out / "calibration.h5"
    plain = {}
    with h5py.File(paths["deflate"]) as file:
        for name in datasets(file):
            plain[name] = file[name][()]
            assert name == "projections" or (file[name].attrs["units"] and file[name].attrs["definition"]), name
    with h5py.File(paths["zstd"]) as file:
        assert file.attrs["format"] == b"spikingbrain calibration"
        assert datasets(file) == list(plain)
        for name in plain:
            assert file[name].shape == plain[name].shape and file[name].attrs["definition"]
            filters = file[name].id.get_create_plist()
            assert filters.get_filter(0)[0] == 32015 and filters.get_filter(1)[0] == h5py.h5z.FILTER_FLETCHER32, name
            try:
                file[name][()]
                sys.exit(f"{name} was read without the plugin")
            except OSError:
                pass
    import hdf5plugin  # noqa: F401, E402: registers the filter from here on

    with h5py.File(paths["zstd"]) as file:
        for name, values in plain.items():
            read = file[name][()]
            same = np.array_equal(read, values, equal_nan=True) if values.dtype.kind == "f" else np.array_equal(read, values)
            assert same, name
print("ok", len(plain), "datasets")
