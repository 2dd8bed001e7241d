"""Compares tokenizers in other files than tokenizer.json with their own libraries.

    python file_check.py [--count N] [--seed S] [--spm FILE …] [--tekken FILE …]

Without files: every kind of file_kinds.py. `mistral_common` carries some real ones in its `data`.
Builds the probe first (see probe.swift)."""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
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


def spm(file: str):
    processor = sentencepiece.SentencePieceProcessor(model_file=file)
    return lambda text: [processor.bos_id(), *processor.encode(text)]


def tekken(file: str):
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tokenizer = Tekkenizer.from_file(file)
    return lambda text: tokenizer.encode(text, bos=True, eos=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spm", nargs="*", default=[])
    parser.add_argument("--tekken", nargs="*", default=[])
    parser.add_argument("--kind")
    options = parser.parse_args()
    build()
    total = 0

    def check(name, prepare):
        nonlocal total
        with tempfile.TemporaryDirectory() as directory:
            encode = prepare(Path(directory))
            total += compare(name, Path(directory), encode, options.count, options.seed)

    def real(files, target, encoder):
        for file in files:
            def prepare(directory, file=file):
                shutil.copy(file, directory / target)
                return encoder(file)

            check(Path(file).name, prepare)

    real(options.spm, "tokenizer.model", spm)
    real(options.tekken, "tekken.json", tekken)
    if not options.spm and not options.tekken:
        for kind in KINDS:
            if options.kind in (None, kind.__name__):
                check(kind.__name__, kind)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
