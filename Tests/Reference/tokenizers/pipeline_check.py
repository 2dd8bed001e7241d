"""Compares random combinations of components with the `tokenizers` library.

    python pipeline_check.py [--pipelines N] [--count TEXTS] [--seed S]"""

import argparse
import copy
import json
import random

from tokenizers import Tokenizer

import cross_check
from kinds import LLAMA3, QWEN2, gpt2, llama2, no_unknown
from probe import build

PATTERNS = [
    {"Regex": QWEN2}, {"Regex": LLAMA3}, {"Regex": r"\p{N}"}, {"Regex": r"[^\s]+"},
    {"Regex": r" ?[A-Za-z]+(?!\S)|\p{Lu}\p{Ll}*"}, {"Regex": r"(?:ab|a|b)+c?"}, {"String": " "},
    {"String": "▁"}, {"String": "  "}, {"Regex": r"[\r\n]{1,2}|\s{2,4}"},
    {"Regex": r"(?i:the|[a-c]s?)"}, {"Regex": r"[\p{M}\p{P}]+"}, {"String": "e"},
]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def some(rng, choices, most=3):
    return [rng.choice(choices)(rng) for _ in range(rng.randint(0, most))]


def flip(rng):
    return rng.random() < 0.5


NORMALIZERS = [
    lambda rng: {"type": "NFC"},
    lambda rng: {"type": "Lowercase"},
    lambda rng: {"type": "Prepend", "prepend": rng.choice(["▁", " ", "ab"])},
    lambda rng: {"type": "Replace", "pattern": rng.choice(PATTERNS),
                 "content": rng.choice(["▁", " ", "", "x y"])},
    lambda rng: {"type": "Strip", "strip_left": False, "strip_right": flip(rng)},
]
PRE_TOKENIZERS = [
    lambda rng: {"type": "ByteLevel", "add_prefix_space": flip(rng), "trim_offsets": True,
                 "use_regex": flip(rng)},
    lambda rng: {"type": "Split", "pattern": rng.choice(PATTERNS),
                 "behavior": rng.choice(BEHAVIORS), "invert": flip(rng)},
    lambda rng: {"type": "Digits", "individual_digits": flip(rng)},
    lambda rng: {"type": "Metaspace", "replacement": rng.choice("▁_"),
                 "prepend_scheme": rng.choice(["always", "first", "never"]), "split": flip(rng)},
    lambda rng: {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
    lambda rng: {"type": "WhitespaceSplit"},
]
DECODERS = [
    lambda rng: {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                 "use_regex": True},
    lambda rng: {"type": "Replace", "pattern": {"String": rng.choice("▁ eĠ")},
                 "content": rng.choice([" ", "", "xy"])},
    lambda rng: {"type": "ByteFallback"},
    lambda rng: {"type": "Fuse"},
    lambda rng: {"type": "Strip", "content": rng.choice(" ▁e"), "start": rng.randint(0, 2),
                 "stop": rng.randint(0, 2)},
    lambda rng: {"type": "Metaspace", "replacement": "▁", "split": True,
                 "prepend_scheme": rng.choice(["always", "first", "never"])},
]
TOKENS = ["<|endoftext|>", "<s>", "yes", "word", "[X]", "_ _", "'s", "ab"]


def is_normal(document: dict, token: str) -> bool:
    """Whether a normalizer leaves a token alone: if it does not, tokens can become equal or empty,
    and which of them is found is up to the library's hash tables."""
    normalizer = Tokenizer.from_str(json.dumps(document)).normalizer
    return normalizer is None or normalizer.normalize_str(token) == token


def pipeline(rng: random.Random, models: list) -> str:
    document = copy.deepcopy(rng.choice(models))
    document["normalizer"] = {"type": "Sequence", "normalizers": some(rng, NORMALIZERS)}
    pre_tokenizers = some(rng, PRE_TOKENIZERS)
    for step in pre_tokenizers[1:]:
        # "First" after another step depends on offsets that the library tracks and we do not.
        if step.get("prepend_scheme") == "first":
            step["prepend_scheme"] = "never"
    document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": pre_tokenizers}
    document["decoder"] = {"type": "Sequence", "decoders": some(rng, DECODERS)}
    document["post_processor"] = None
    model = document["model"]
    model["ignore_merges"] = flip(rng)
    if model["unk_token"]:
        model["fuse_unk"] = flip(rng)
        model["byte_fallback"] = flip(rng)
    known = {token["content"] for token in document["added_tokens"]}
    size = len(model["vocab"])
    for token in rng.sample(TOKENS, 4):
        if token not in known and token not in model["vocab"]:
            document["added_tokens"].append({
                "id": size, "content": token, "special": flip(rng), "lstrip": flip(rng),
                "rstrip": flip(rng), "single_word": flip(rng),
                "normalized": flip(rng) and is_normal(document, token),
            })
            size += 1
    return json.dumps(document)


class Original:
    """The library, without the normal forms it gives decoded added tokens since 0.23."""

    def __init__(self, text):
        self.tokenizer = Tokenizer.from_str(text)
        self.normalizes = json.loads(text)["normalizer"]["normalizers"]

    def encode(self, text):
        return self.tokenizer.encode(text)

    def decode(self, ids, skip_special_tokens):
        if any(t.normalized for t in self.tokenizer.get_added_tokens_decoder().values()) and (
            self.normalizes
        ):
            return None
        try:
            return self.tokenizer.decode(ids, skip_special_tokens)
        except BaseException:  # Stripping the end of an empty token makes the library panic.
            return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    path = build() / "pipeline.json"
    models = [json.loads(kind().to_str()) for kind in [gpt2, llama2, no_unknown]]
    wrong = 0
    for seed in range(options.seed, options.seed + options.pipelines):
        text = pipeline(random.Random(seed), models)
        path.write_text(text)
        wrong += 1 if cross_check.compare(
            f"pipeline {seed}", str(path), options.count, seed, Original(text), quiet=True, streams=False
        ) else 0
    print(f"{options.pipelines} pipelines, {wrong} differ")


if __name__ == "__main__":
    main()
