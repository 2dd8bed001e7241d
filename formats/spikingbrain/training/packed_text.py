# SPDX-License-Identifier: Apache-2.0
"""Texts as samples of equal length: files are tokenised, put one behind the other, and cut."""
import hashlib
import json
from pathlib import Path

import numpy

PIECE = 1 << 26  # characters that are tokenised together


def end_of_text(directory):
    """The token behind every file; None where config.json names none."""
    found = json.loads((Path(directory) / "config.json").read_text()).get("eos_token_id")
    return found[0] if isinstance(found, list) else found


def tokenise(files, directory):
    """The tokens of text files [tokens], uint32, each file followed by the end-of-text token."""
    from tokenizers import Tokenizer
    tokenizer, end, parts = Tokenizer.from_file(str(Path(directory) / "tokenizer.json")), end_of_text(directory), []
    for file in files:
        with open(file, encoding="utf-8") as text:
            while lines := text.readlines(PIECE):
                ids = tokenizer.encode("".join(lines), add_special_tokens=False).ids
                parts.append(numpy.array(ids, dtype=numpy.uint32))
        if end is not None:
            parts.append(numpy.array([end], dtype=numpy.uint32))
    return numpy.concatenate(parts)


def tokens_of(files, directory, folder):
    """The tokens of `files`, mapped: `.npy` arrays of token ids as they are; Megatron's `.bin` with its `.idx`; texts by
    way of a file in `folder`, which is written once for these texts."""
    files = [Path(file) for file in files]
    for file in files:
        if not file.exists():
            raise SystemExit(f"{file} does not exist")
    if len(files) == 1 and files[0].suffix == ".npy":
        return numpy.load(files[0], mmap_mode="r")
    if len(files) == 1 and files[0].suffix == ".bin":
        return megatron_tokens(files[0])
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    name = hashlib.sha256(json.dumps([str(directory), stamps]).encode()).hexdigest()[:12]
    kept = Path(folder) / f"tokens-{name}.npy"
    if not kept.exists():
        partial = kept.with_suffix(".partial.npy")
        partial.parent.mkdir(parents=True, exist_ok=True)
        numpy.save(partial, tokenise(files, directory))
        partial.rename(kept)
    return numpy.load(kept, mmap_mode="r")


def megatron_tokens(file):
    """The tokens of Megatron's indexed data set, document after document: its `.bin` is nothing else."""
    types = {1: numpy.uint8, 2: numpy.int8, 3: numpy.int16, 4: numpy.int32, 5: numpy.int64, 8: numpy.uint16}
    header = file.with_suffix(".idx").read_bytes()[:18]
    if header[:9] != b"MMIDIDX\x00\x00" or header[17] not in types:
        raise SystemExit(f"{file.with_suffix('.idx')} is no index of Megatron's, or not of integers")
    return numpy.memmap(file, dtype=types[header[17]], mode="r")


class PackedSamples:
    """Sample i: `length` tokens and the one behind them, int64 [length + 1]. Every pass over the tokens has an order of
    its own, drawn from the seed; without a seed samples are in order."""

    def __init__(self, tokens, length, seed=None):
        self.tokens, self.length, self.seed, self.epoch = tokens, length, seed, None
        self.count = (len(tokens) - 1) // length
        if self.count < 1:
            raise SystemExit(f"the texts have {len(tokens)} tokens: fewer than the {length + 1} of one sample")

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        epoch, place = divmod(number, self.count)
        if self.seed is not None:
            if epoch != self.epoch:
                self.epoch, self.order = epoch, numpy.random.default_rng((self.seed, epoch)).permutation(self.count)
            place = self.order[place]
        start = int(place) * self.length
        return self.tokens[start:start + self.length + 1].astype(numpy.int64)
