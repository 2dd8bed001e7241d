"""Tokenizers in other files than tokenizer.json: SentencePiece's tokenizer.model, tekken.json and
qwen.tiktoken, each trained here. A kind writes its files into a directory and gives a function that
encodes as its own library does."""

import base64
import io
import json
import re
import tempfile

import sentencepiece
import tiktoken
from kinds import QWEN2, llama3
from pieces import RULES
from samples import CORPUS

CONTROL = ["<unk>", "<s>", "</s>", "<pad>"]


def train(directory, rules=(), **options):
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as table:
        table.writelines(f"{text}\t{replacement}\n" for text, replacement in rules)
        table.flush()
        if rules:
            options["normalization_rule_tsv"] = table.name
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line for text in CORPUS for line in text.split("\n") if line),
            model_writer=model, hard_vocab_limit=False, minloglevel=2,
            **{"vocab_size": 700, **options},
        )
    (directory / "tokenizer.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return lambda text: [processor.bos_id(), *processor.encode(text)]


def spm_llama(directory):
    return train(
        directory, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True,
    )


def spm_gemma(directory):
    return train(
        directory, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True,
        add_dummy_prefix=False,
        user_defined_symbols=["[X]", "\n", "\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "<table>", "yes"],
    )


def spm_bpe(directory):
    return train(
        directory, model_type="bpe", normalization_rule_name="nmt_nfkc",
        user_defined_symbols=["[X]", "ﬁ", "[MASK]"], character_coverage=0.98,
    )


def spm_unigram(directory):
    return train(directory, model_type="unigram", rules=RULES, user_defined_symbols=["[X]", "▁▁"])


def spm_unigram_bytes(directory):
    return train(
        directory, model_type="unigram", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=0.98,
    )


def spm_unigram_suffix(directory):
    return train(
        directory, model_type="unigram", treat_whitespace_as_suffix=True, rules=RULES,
        character_coverage=0.99,
    )


def byte_ranks() -> dict:
    """Byte strings by rank: bytes first, then what a byte-level training found, in order."""
    vocabulary = json.loads(llama3().to_str())["model"]["vocab"]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
    tokens = [
        bytes(letters[c] for c in token) for token, _ in sorted(vocabulary.items(), key=lambda p: p[1])
        if all(c in letters for c in token)
    ]
    singles = [bytes([byte]) for byte in range(256)]
    longer = [
        token for token in dict.fromkeys(tokens) if len(token) > 1 and not token.startswith(b"<|")
    ]
    return {token: rank for rank, token in enumerate(singles + longer)}


def encoder(ranks, pattern, special):
    encoding = tiktoken.Encoding(
        "kind", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    return lambda text: encoding.encode(text, allowed_special="all")


def tekken(directory):
    pattern = QWEN2.replace("+[\\r\\n]*|", "+[\\r\\n/]*|")
    ranks = byte_ranks()
    names = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", *(f"<SPECIAL_{i}>" for i in range(5, 20))]
    size, kept = 20 + len(ranks) - 30, list(ranks)[: len(ranks) - 30]
    document = {
        "config": {
            "pattern": pattern, "num_vocab_tokens": len(ranks), "default_vocab_size": size,
            "default_num_special_tokens": 20, "version": "v3",
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
            for token, rank in ranks.items()
        ],
        "special_tokens": [
            {"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(names[:5])
        ],
    }
    (directory / "tekken.json").write_text(json.dumps(document, separators=(",", ":")))
    encode = encoder(
        {token: 20 + rank for rank, token in enumerate(kept)}, pattern,
        {name: i for i, name in enumerate(names)})
    return lambda text: [1, *encode(text)]


def qwen(directory):
    ranks = byte_ranks()
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()]
    (directory / "qwen.tiktoken").write_text("".join(lines))
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205))]
    encode = encoder(ranks, QWEN2, {name: len(ranks) + i for i, name in enumerate(names)})
    import unicodedata

    # Special tokens are composed of nothing, so they may be found after the text is.
    return lambda text: encode(unicodedata.normalize("NFC", text))


KINDS = [
    spm_llama, spm_gemma, spm_bpe, spm_unigram, spm_unigram_bytes, spm_unigram_suffix, tekken, qwen,
]


def without_control(text: str) -> str:
    """SentencePiece itself does not look for control tokens in a text; everyone else does."""
    return re.sub("|".join(map(re.escape, CONTROL)), "", text)
