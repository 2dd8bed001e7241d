"""Small SentencePiece models."""

import io
import tempfile

import sentencepiece
from samples import CORPUS
from sentencepiece import sentencepiece_model_pb2

# Replacements: what is longer than its beginning that is there too, what is nothing afterwards.
RULES = [
    ("FB01", "66 69"), ("212B", "C5"), ("3000", "20"), ("200B", ""), ("41 30A", "C5"),
    ("65 301", "E9"), ("1F469 200D", "2640"), ("FF21", "41"), ("2026", "2E 2E 2E"),
    ("D A", "A"), ("915 94D", "4B"), ("E9", "65 2F"), ("1F44D", "2B 31"), ("20 301", "27"),
]


def sentencepiece_gguf() -> tuple:
    """A SentencePiece model trained here, and the metadata a GGUF file of it would have."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in CORPUS for line in text.split("\n") if line),
        model_writer=model, vocab_size=900, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, split_digits=True, hard_vocab_limit=False,
        user_defined_symbols=["[X]"], minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = range(processor.vocab_size())
    types = [
        2 if processor.is_unknown(i) else 3 if processor.is_control(i)
        else 6 if processor.is_byte(i) else 4 if processor.id_to_piece(i) == "[X]" else 1
        for i in ids
    ]
    return processor, {
        "model": "llama", "tokens": [processor.id_to_piece(i) for i in ids],
        "scores": [processor.get_score(i) for i in ids], "tokenTypes": types,
        "bosID": processor.bos_id(), "eosID": processor.eos_id(),
        "unknownID": processor.unk_id(),
    }


def charsmap() -> bytes:
    """The table that SentencePiece compiles of the replacements above."""
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.writelines(f"{text}\t{replacement}\n" for text, replacement in RULES)
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=300,
            normalization_rule_tsv=rules.name, hard_vocab_limit=False, minloglevel=2,
        )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap
