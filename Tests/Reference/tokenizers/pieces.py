"""A small SentencePiece model."""

import io

import sentencepiece
from samples import CORPUS


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
