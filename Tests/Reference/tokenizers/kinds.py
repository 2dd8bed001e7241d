"""The kinds of tokenizer that are compared: each trained here, small enough to commit."""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors, trainers

from pieces import charsmap
from samples import CORPUS

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
KIMI = "|".join([
    r"[\p{Han}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def train(tokenizer, size, specials=(), alphabet=()):
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(specials), initial_alphabet=list(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level(pre_tokenizer, normalizer=None, specials=CHATML, size=700, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    return train(tokenizer, size, specials, pre.ByteLevel.alphabet())


def split(pattern, behavior="isolated", invert=False):
    return pre.Split(Regex(pattern), behavior, invert)


def gpt2():
    return byte_level(pre.ByteLevel(add_prefix_space=False))


def gpt2_prefixed():
    return byte_level(pre.ByteLevel(add_prefix_space=True))


def smollm():
    return byte_level(
        pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)])
    )


def qwen2():
    tokenizer = byte_level(
        pre.Sequence([split(QWEN2), pre.ByteLevel(add_prefix_space=False, use_regex=False)]),
        normalizers.NFC(),
    )
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False)])
    return tokenizer


def llama3():
    tokenizer = byte_level(
        pre.Sequence([split(LLAMA3), pre.ByteLevel(add_prefix_space=False, use_regex=False)]),
        specials=["<|begin_of_text|>", *CHATML], ignore_merges=True,
    )
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<|begin_of_text|> $A",
            special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))],
        ),
    ])
    return tokenizer


def sentencepiece(tokenizer, size=900, bos=True):
    train(tokenizer, size, ["<unk>", "<s>", "</s>", *BYTES])
    # Byte tokens belong to the model alone: drop them from the list of added tokens.
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    return tokenizer


def llama2():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    # Training needs words; the file as used has none.
    tokenizer.pre_tokenizer = pre.Split("▁", "merged_with_next")
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ])
    tokenizer = sentencepiece(tokenizer)
    document = json.loads(tokenizer.to_str())
    document["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(document))


def metaspace():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre.Metaspace(prepend_scheme="first", split=True)
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ])
    return sentencepiece(tokenizer)


def metaspace_always():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre.Metaspace(prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return sentencepiece(tokenizer, bos=False)


def edges():
    """Added tokens of every sort, splits of every behaviour, unknown scalars one by one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s{2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre.Sequence([
        pre.Split(" ", "merged_with_next"), pre.Punctuation("contiguous"), pre.Digits(),
        split(r"[aeiou]+", "merged_with_previous"), split(r"\p{Han}{2}".replace("Han", "Lo")),
    ])
    # No decoder: tokens are joined by spaces. (Added tokens are in their normal form already: the
    # library decodes to the normal form since 0.23, before to the text as given.)
    train(tokenizer, 500, ["<unk>"])
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True), "</s>"])
    tokenizer.add_tokens([
        AddedToken("yes", single_word=True), AddedToken("[X]", rstrip=True, normalized=False),
        AddedToken("straße", normalized=True), AddedToken("<s>", lstrip=True, rstrip=True),
    ])
    return tokenizer


def no_unknown():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre.Sequence([
        pre.WhitespaceSplit(), split(r"[\d\p{P}]", "removed"), split(r"\w+", "removed", True),
    ])
    tokenizer.decoder = decoders.Fuse()
    return train(tokenizer, 300)


def stripped():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Strip()
    tokenizer.pre_tokenizer = pre.WhitespaceSplit()
    return train(tokenizer, 300, ["<unk>"])


def cl100k():
    return byte_level(
        pre.Sequence([split(CL100K), pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    )


def kimi():
    return byte_level(
        pre.Sequence([split(KIMI), pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    )


def anchors():
    """What deepseek-llm has, and anchors, lazy repetitions and lookbehind beside it."""
    return byte_level(pre.Sequence([
        split(r"[\r\n]"), split(r"\s?\p{L}+?(?!\p{L})"), split(r"(?<=\p{L})\p{P}|^\p{P}+"),
        split(r"\s+$"), split("[一-龥ࠀ-一가-\ud7ff]+"), split(r"\b\p{N}{2,3}?|\A\p{So}+\z"),
        pre.ByteLevel(add_prefix_space=False, use_regex=False),
    ]))


def roberta():
    tokenizer = byte_level(
        pre.ByteLevel(add_prefix_space=False), specials=["<s>", "<pad>", "</s>", "<unk>"]
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def unigram_model(tokenizer, with_bytes):
    """Trains pieces; the bytes that unknown text falls back to come after them."""
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    document = json.loads(tokenizer.to_str())
    if with_bytes:
        # The low score keeps "<0x41>" in a text from being one of them.
        document["model"]["vocab"] += [[byte, -100.0] for byte in BYTES]
        document["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(document))


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence([
        decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always"),
    ])
    tokenizer = unigram_model(tokenizer, True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 2)]
    )
    return tokenizer


def unigram_unknown():
    """Unknown scalars are one token together; a whole text is a word. SentencePiece's table of
    replacements before it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.decoder = decoders.Fuse()
    return unigram_model(tokenizer, False)


KINDS = [
    gpt2, gpt2_prefixed, smollm, qwen2, llama3, llama2, metaspace, metaspace_always, edges,
    no_unknown, stripped, cl100k, kimi, anchors, roberta, unigram, unigram_unknown,
]
