"""Compares the tokenizer files that the program writes from real vocabularies, and older forms.

    python real_check.py --smollm2 MODEL.gguf --qwen qwen.tiktoken [--text BOOK] [--count N]"""

import argparse
import json
import logging
import subprocess
from pathlib import Path

from gguf_dump import dump
from tokenizers import AddedToken, Tokenizer, decoders, models
from tokenizers import pre_tokenizers as pre
from transformers import AutoTokenizer

import cross_check
import ranks
from kinds import BYTES, CHATML, QWEN2
from pieces import sentencepiece_gguf
from probe import PROBE, build


def smollm2(metadata: dict) -> Tokenizer:
    """SmolLM2 as published: digits one by one, then the GPT-2 pattern."""
    tokenizer = Tokenizer(models.BPE(
        vocab={token: i for i, token in enumerate(metadata["tokens"])},
        merges=[tuple(merge.split(" ")) for merge in metadata["merges"]],
    ))
    tokenizer.pre_tokenizer = pre.Sequence(
        [pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(metadata["tokens"][:17])
    return tokenizer


class Reference:
    """Wraps an encoder so that cross_check can compare with it."""

    def __init__(self, encode, decode):
        self.encode_ids, self.decode_ids = encode, decode

    def encode(self, text):
        return type("Encoding", (), {"ids": self.encode_ids(text)})

    def decode(self, ids, skip_special_tokens):
        return self.decode_ids(ids)


def auto(directory, **options):
    tokenizer = AutoTokenizer.from_pretrained(directory, **options)
    return Reference(
        tokenizer.encode,
        lambda ids: tokenizer.decode(ids, clean_up_tokenization_spaces=False),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smollm2")
    parser.add_argument("--qwen")
    parser.add_argument("--text")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    work = build()
    logging.disable(logging.WARNING)

    def check(name, source, reference):
        cross_check.compare(name, str(source), options.count, options.seed, reference)
        if options.text:
            timing = [PROBE, "time", str(source), options.text]
            print("  ", subprocess.run(timing, capture_output=True, text=True).stdout.strip())

    if options.smollm2:
        metadata = dump(options.smollm2)
        file = work / "smollm2.gguf.json"
        file.write_text(json.dumps(metadata))
        check("SmolLM2 from GGUF, as published", file, smollm2(metadata))
        written = work / "smollm2"
        written.mkdir(exist_ok=True)
        subprocess.run([PROBE, "gguf", file, written], check=True)
        check("SmolLM2, files we write in transformers", written, auto(written))
        source = Path(options.smollm2)
        check("SmolLM2, transformers from GGUF", file, auto(source.parent, gguf_file=source.name))
    if options.qwen:
        table = ranks.load(options.qwen)
        special = {token: len(table) + i for i, token in enumerate(CHATML)}
        tokenizer = ranks.tokenizer(table, QWEN2, special, "NFC")
        tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False)])
        older = work / "qwen-older"
        older.mkdir(exist_ok=True)
        tokenizer.model.save(str(older))
        added = {
            i: {"content": t.content, "special": t.special, "normalized": t.normalized}
            for i, t in tokenizer.get_added_tokens_decoder().items()
        }
        (older / "tokenizer_config.json").write_text(json.dumps(
            {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added}))
        check("Qwen2, vocab.json and merges.txt", older, tokenizer)
    processor, metadata = sentencepiece_gguf()
    file = work / "sentencepiece.gguf.json"
    file.write_text(json.dumps(metadata))
    written = work / "sentencepiece"
    written.mkdir(exist_ok=True)
    subprocess.run([PROBE, "gguf", file, written], check=True)
    check("SentencePiece GGUF, files we write in transformers", written, auto(written))
    options.text = None
    # SentencePiece itself does not look for control tokens in a text: leave those texts out.
    check("SentencePiece itself", file, Reference(
        lambda text: None if any(t in text for t in ["<s>", "</s>", "<unk>", *BYTES, "[X]"])
        else [processor.bos_id()] + processor.encode(text), lambda ids: None))


if __name__ == "__main__":
    main()
