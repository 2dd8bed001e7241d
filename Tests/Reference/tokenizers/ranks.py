"""Ranks, as tiktoken's files hold them, and the tokenizer.json they make."""

import base64
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre

from kinds import split


def load(path) -> dict:
    """Byte strings by rank."""
    lines = [line.split() for line in Path(path).read_bytes().splitlines() if line]
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def byte_letters() -> list:
    """The letter that stands for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters, extra = [], 0
    for byte in range(256):
        letters.append(chr(byte) if byte in printable else chr(256 + extra))
        extra += byte not in printable
    return letters


def halves(ranks: dict, token: bytes) -> list:
    """The pairs of tokens that make up `token`."""
    cuts = range(1, len(token))
    pairs = [(token[:cut], token[cut:]) for cut in cuts]
    return [(a, b) for a, b in pairs if a in ranks and b in ranks]


def tokenizer(ranks: dict, pattern: str, special: dict, normal_form: str = "") -> Tokenizer:
    """A tokenizer that gives the ids of these ranks; `special` are tokens and their ids."""
    letters = byte_letters()
    text = {token: "".join(letters[b] for b in token) for token in ranks}
    # What merges first is the token of the lowest rank, however it is made up.
    merges = [pair for token in sorted(ranks, key=ranks.get) for pair in halves(ranks, token)]
    result = Tokenizer(models.BPE(
        vocab={text[token]: rank for token, rank in ranks.items()} | special,
        merges=[(text[a], text[b]) for a, b in merges], ignore_merges=True,
    ))
    if normal_form:
        result.normalizer = getattr(normalizers, normal_form)()
    result.pre_tokenizer = pre.Sequence(
        [split(pattern), pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    result.decoder = decoders.ByteLevel()
    result.add_special_tokens(list(special))
    for token, rank in special.items():
        assert result.token_to_id(token) == rank, token
    return result
