"""Compares the Tokenization module with the `tokenizers` library on random texts.

    python cross_check.py [--count N] [--seed S] [NAME=tokenizer.json …]

Without files: every kind of kinds.py. Builds the probe first (see probe.swift)."""

import argparse
import random
import subprocess
import sys
from pathlib import Path

from tokenizers import Tokenizer

from kinds import KINDS
from probe import PROBE, build
from samples import CASES, random_text


def compare(
    name: str, file: str, count: int, seed: int, reference=None, quiet: bool = False,
    streams: bool = True,
) -> int:
    rng = random.Random(seed)
    texts = [*CASES.values(), *(random_text(rng) for _ in range(count))]
    reference = reference or Tokenizer.from_file(file)
    request = "\n".join(text.encode().hex() for text in texts) + "\n"
    answer = subprocess.run(
        [PROBE, "encode", file], input=request, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    wrong = {"ids": 0, "decoded": 0, "streamed": 0}
    for text, line in zip(texts, answer, strict=False):
        ids, decoded, streamed = line.split("\t")
        ids = [int(i) for i in ids.split(",") if i]
        expected = reference.encode(text).ids
        if expected is None:
            continue
        found = bytes.fromhex(decoded).decode()
        back = reference.decode(expected, skip_special_tokens=False)
        checks = {
            "ids": (ids, expected),
            "decoded": (found, found if back is None else back),
            "streamed": (bytes.fromhex(streamed).decode() if streams else found, found),
        }
        for what, (ours, theirs) in checks.items():
            if ours != theirs:
                wrong[what] += 1
                if wrong[what] <= 3:
                    print(f"  {name} {what}: {text!r}\n    ours   {ours!r}\n    theirs {theirs!r}")
    if any(wrong.values()) or not quiet:
        print(f"{name}: {len(texts)} texts, differing: {wrong}")
    return sum(wrong.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    work = build()
    pairs = [file.split("=", 1) for file in options.files]
    if not pairs:
        for kind in KINDS:
            path = Path(work) / f"{kind.__name__}.json"
            kind().save(str(path))
            pairs.append((kind.__name__, str(path)))
    total = sum(compare(name, file, options.count, options.seed) for name, file in pairs)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
