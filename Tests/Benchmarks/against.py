#!/usr/bin/env python3
"""Side by side with llama.cpp: prefill and decode of the same GGUF files, alternating in one run.

  Tests/Benchmarks/against.py PROGRAM MODEL.gguf… [--prefill 512] [--decode 48] [--rounds 5] [--threads 2]

Needs `pip install llama-cpp-python`. Each figure is the median of the rounds, with the least and the
most; a ratio is the median of the rounds' ratios. A model is measured only when both name the same most
likely token after a prompt. Prints a Markdown table.
"""
import argparse
import json
import platform
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from llama_cpp import Llama, llama_print_system_info


def spread(values):
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def ours(program, model, args):
    run = subprocess.run(
        [program, "bench", model, "--prefill", str(args.prefill), "--decode", str(args.decode),
         "--threads", str(args.threads), "--json", "--quiet"],
        capture_output=True, text=True, check=True)
    report = json.loads(run.stdout)
    return report["prefill"][0]["tokensPerSecond"], report["decode"][0]["tokensPerSecond"]


def theirs(llama, tokens, args):
    llama.reset()
    start = time.perf_counter()
    llama.eval(tokens)
    prefill = len(tokens) / (time.perf_counter() - start)
    llama.reset()
    llama.eval(tokens[:1])
    start = time.perf_counter()
    for token in tokens[1:args.decode + 1]:
        llama.eval([token])
    return prefill, args.decode / (time.perf_counter() - start)


def best_token(program, model, prompt):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "logits.safetensors"
        subprocess.run(
            [program, "logits", model, "--tokens", ",".join(map(str, prompt)), "--output", str(file),
             "--quiet"], check=True, capture_output=True)
        data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])["logits"]
    rows, columns = entry["shape"]
    begin = 8 + size + entry["data_offsets"][0] + (rows - 1) * columns * 4
    last = struct.unpack(f"<{columns}f", data[begin:begin + 4 * columns])
    return max(range(columns), key=last.__getitem__)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.processor())
    print(f"{cpu}, {args.threads} threads, {args.rounds} alternating rounds; llama.cpp with "
          f"{llama_print_system_info().decode().strip()}\n")
    print("| model | prefill, tokens/s | llama.cpp | ratio | decode, tokens/s | llama.cpp | ratio |")
    print("|---|---|---|---|---|---|---|")
    for model in args.models:
        llama = Llama(model, n_ctx=args.prefill + args.decode + 64, n_threads=args.threads,
                      n_threads_batch=args.threads, n_batch=512, n_ubatch=512, verbose=False,
                      logits_all=False)
        tokens = [(i * 37 + 5) % llama.n_vocab() for i in range(args.prefill)]
        prompt = llama.tokenize(b"The capital of France is", add_bos=False)
        llama.reset()
        llama.eval(prompt)
        logits = llama._ctx.get_logits_ith(-1)
        expected = max(range(llama.n_vocab()), key=lambda i: logits[i])
        found = best_token(args.program, model, prompt)
        if found != expected:
            print(f"| {Path(model).name} | not measured: {found} is most likely, not {expected} |")
            continue
        pairs = [(ours(args.program, model, args), theirs(llama, tokens, args))
                 for _ in range(args.rounds)]
        row = [Path(model).name]
        for i in range(2):
            a, b = [p[0][i] for p in pairs], [p[1][i] for p in pairs]
            ratio = statistics.median(x / y for x, y in zip(a, b))
            row += [spread(a), spread(b), f"{ratio:.2f} x"]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
