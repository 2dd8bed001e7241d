"""Compares tokenizers in other files than tokenizer.json with their own libraries.

    python file_check.py [--count N] [--seed S] [--kind NAME]

Every kind of file_kinds.py; published_check.py has real ones. Builds the probe first."""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from file_kinds import KINDS, without_control
from probe import PROBE, build
from samples import CASES, random_text


def hostile(rng: random.Random) -> list:
    """Long runs and very long words, which random texts do not have."""
    return [
        " " * 1000, "a" * 3000, "\n" * 257, "ab " * 500, "\u0301" * 100, "👨‍👩‍👧‍👦" * 50,
        "今" * 400, "א" * 300 + " " * 99 + "ב", "\x00" * 20 + "x", " \t \u3000 " * 40,
        "".join(chr(rng.randint(1, 0xD7FF)) for _ in range(3000)),
    ]


def compare(name: str, directory: Path, encode, count: int, seed: int) -> int:
    rng = random.Random(seed)
    texts = [*CASES.values(), *hostile(rng), *(random_text(rng) for _ in range(count))]
    texts = [without_control(text) for text in texts]
    request = "\n".join(text.encode().hex() for text in texts) + "\n"
    answer = subprocess.run(
        [PROBE, "ids", str(directory)], input=request, capture_output=True, text=True, check=True,
    ).stdout.split("\n")
    wrong = 0
    for text, line in zip(texts, answer, strict=False):
        ids = [int(i) for i in line.split(",") if i]
        expected = encode(text)
        if ids != expected:
            wrong += 1
            if wrong <= 3:
                print(f"  {name}: {text[:200]!r}\n    ours   {ids[:60]}\n    theirs {expected[:60]}")
    print(f"{name}: {len(texts)} texts, {wrong} differ", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind")
    options = parser.parse_args()
    build()
    total = 0
    for kind in KINDS:
        if options.kind in (None, kind.__name__):
            with tempfile.TemporaryDirectory() as directory:
                encode = kind(Path(directory))
                total += compare(
                    kind.__name__, Path(directory), encode, options.count, options.seed)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
