"""Perplexity of a source, converted or GGUF checkpoint on a text.

The rule: the text is tokenised once (a BOS the tokenizer adds stands once before it), its first N tokens are cut
into consecutive segments of --context, each evaluated from an empty state with its first token not scored; a
shorter last segment counts if it has two tokens; perplexity = exp(mean negative log likelihood), summed in f64.
"""
import argparse
import json
import math
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from checkpoint_io import is_spikingbrain, load_source

WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def pre_tokenizer(name):
    """The splitting that a GGUF file only names (`tokenizer.ggml.pre`)."""
    if name == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    if name in ("qwen2", "llama-bpe"):
        pattern = Regex(WORDS.replace("DIGITS", "" if name == "qwen2" else "{1,3}"))
        return pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "isolated"),
                                        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    raise ValueError(f"unknown pre-tokenizer {name}")


def gguf_tokenizer(path):
    """(tokenizer, ids that go before a text) from a GGUF file's own fields; byte-level BPE only."""
    import gguf

    fields = gguf.GGUFReader(str(path)).fields

    def value(name, default=None):
        return fields[f"tokenizer.ggml.{name}"].contents() if f"tokenizer.ggml.{name}" in fields else default

    assert value("model") == "gpt2", value("model")
    tokens, kinds, name = value("tokens"), value("token_type"), value("pre")
    merges = [tuple(merge.split(" ")) for merge in value("merges")]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges,
                                     ignore_merges=name == "llama-bpe"))
    tokenizer.pre_tokenizer = pre_tokenizer(name)
    tokenizer.decoder = decoders.ByteLevel()
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token, kind in zip(tokens, kinds) if kind == 3])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token, kind in zip(tokens, kinds) if kind == 4])
    return tokenizer, [value("bos_token_id")] if value("add_bos_token", False) else []


def load_tokenizer(path):
    """(tokenizer, ids that go before a text) of a checkpoint or of a tokenizer.json."""
    path = Path(path)
    if path.suffix == ".gguf":
        return gguf_tokenizer(path)
    tokenizer = Tokenizer.from_file(str(path if path.is_file() else path / "tokenizer.json"))
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    return tokenizer, full[:full.index(bare[0])]


def read_text(path, tail=None):
    """The text byte for byte; with `tail`, its last part from character floor(length * (1 - tail)) on."""
    text = Path(path).read_bytes().decode("utf-8")
    return text if tail is None else text[int(len(text) * (1 - tail)):]


def encode(path, text):
    """Token ids of a text by the tokenizer of `path`."""
    tokenizer, before = load_tokenizer(path)
    return before + tokenizer.encode(text, add_special_tokens=False).ids


def load_logits(path):
    """A function ids -> logits [T, V] for any kind of checkpoint."""
    if is_spikingbrain(path):
        from spikingbrain_reference import SpikingBrain
        model = SpikingBrain(path)
        return lambda ids: model.run(ids)["logits"]
    model = load_source(path)
    return lambda ids: model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


@torch.no_grad()
def perplexity(logits_of, ids, context):
    """{'tokens', 'scored', 'perplexity'}; 'tokens' counts the ids read, 'scored' those predicted."""
    total, scored = 0.0, 0
    for start in range(0, len(ids), context):
        segment = ids[start:start + context]
        if len(segment) < 2:
            continue
        logits, targets = logits_of(segment)[:-1], torch.tensor(segment[1:])
        for rows, wanted in zip(logits.split(128), targets.split(128)):
            total -= rows.double().log_softmax(-1).gather(1, wanted[:, None]).sum().item()
        scored += len(targets)
    return {"tokens": len(ids), "scored": scored, "perplexity": math.exp(total / scored)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--text", required=True)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=None, help="use only the first N tokens")
    parser.add_argument("--tail", type=float, default=None, help="use only this last fraction of the text's characters")
    parser.add_argument("--tokenizer", default=None, help="a checkpoint or tokenizer.json to take the tokenizer from")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ids = encode(options.tokenizer or options.checkpoint, read_text(options.text, options.tail))[:options.tokens]
    print(json.dumps(perplexity(load_logits(options.checkpoint), ids, options.context)))


if __name__ == "__main__":
    main()
