"""Compares how the program reads quantised forms of other libraries with what they stand for.

    python check_quantized.py --program SPIKINGBRAIN --work DIRECTORY [--libraries]

Each form of make_quantized.py is exported as float32 and must be the expected numbers to the last bit.
With --libraries the expected numbers themselves are compared with the libraries' own CPU code, of those
that can be imported: autoawq, auto-gptq, bitsandbytes, compressed-tensors (install with --no-deps)."""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import torch
from make_quantized import FORMS, PROJECTIONS, write
from safetensors.torch import load_file


def parts(directory, base):
    stored = load_file(directory / "model.safetensors")
    return {key.removeprefix(base): value for key, value in stored.items() if key.startswith(base)}


def module(package: str, path: str):
    """One file of a package whose own imports want more."""
    found = importlib.util.find_spec(package)
    if found is None:
        raise ImportError(f"no {package}")
    spec = importlib.util.spec_from_file_location(
        Path(path).stem, Path(found.origin).parent / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def by_autoawq(config, stored, rows, columns):
    return module("awq", "utils/packing_utils.py").dequantize_gemm(
        stored["qweight"], stored["qzeros"], stored["scales"], 4, config["group_size"]).T


def by_autogptq(config, stored, rows, columns):
    QuantLinear = module("auto_gptq", "nn_modules/qlinear/qlinear_cuda.py").QuantLinear
    layer = QuantLinear(config["bits"], config["group_size"], columns, rows, False)
    layer.load_state_dict({key: stored[key] for key in ["qweight", "qzeros", "scales", "g_idx"]})
    layer.autogptq_cuda_available = layer.use_cuda_fp16 = False
    return layer(torch.eye(columns, dtype=torch.float16)).T


def by_bitsandbytes(config, stored, rows, columns):
    from bitsandbytes import functional

    if "SCB" in stored:
        return functional.int8_vectorwise_dequant(stored["weight"], stored["SCB"])
    state = functional.QuantState.from_dict(
        {key: value for key, value in stored.items() if key != "weight"}, torch.device("cpu"))
    state.dtype = torch.float32
    return functional.dequantize_4bit(stored["weight"], state)


def by_compressed_tensors(config, stored, rows, columns):
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    arguments = QuantizationArgs(**config["config_groups"]["group_0"]["weights"])
    return dequantize(
        stored["weight"], stored["weight_scale"].float(), args=arguments, dtype=torch.float32)


LIBRARIES = {
    "gptq": by_autogptq, "awq": by_autoawq, "bitsandbytes": by_bitsandbytes,
    "compressed-tensors": by_compressed_tensors,
}
# What the old torch code of auto-gptq cannot read.
WITHOUT = {"gptq-v2", "gptq-without-index", "gptq-2"}


def with_libraries(work: Path, name: str) -> str:
    config = json.loads((work / name / "config.json").read_text())["quantization_config"]
    compute = LIBRARIES.get(config["quant_method"])
    if compute is None or name in WITHOUT:
        return "no library"
    expected = load_file(work / f"{name}.expected.safetensors")
    worst = 0.0
    for projection, (rows, columns) in PROJECTIONS.items():
        base = f"model.layers.0.{projection}."
        if rows % 32 and config["quant_method"] == "gptq":
            continue  # its layers have no fewer outputs
        try:
            found = compute(config, parts(work / name, base), rows, columns).float()
        except ImportError as error:
            return f"no library ({error})"
        right = expected[f"{base}weight"]
        worst = max(worst, ((found - right).abs() / right.abs().clamp(min=1e-3)).max().item())
    return f"library differs by at most {worst:.1e} relatively"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--libraries", action="store_true")
    options = parser.parse_args()
    failures = 0
    for name in FORMS:
        write(options.work, name)
        output = options.work / f"{name}.exported"
        run = subprocess.run(
            [options.program, "export", str(options.work / name), str(output), "--profile", "hf",
             "--dtype", "float32", "--force", "--quiet"], capture_output=True, text=True)
        if run.returncode:
            print(f"{name}: {run.stderr.strip() or run.stdout.strip()}")
            failures += 1
            continue
        found = load_file(output / "model.safetensors")
        expected = load_file(options.work / f"{name}.expected.safetensors")
        wrong = [key for key in expected if not torch.equal(found[key], expected[key])]
        failures += bool(wrong or found.keys() != expected.keys())
        said = f"; {with_libraries(options.work, name)}" if options.libraries else ""
        print(f"{name}: {len(expected)} tensors, {len(wrong)} differ{said}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
