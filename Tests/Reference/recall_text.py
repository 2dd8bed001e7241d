"""A text in which what stood 1,024 tokens ago stands again, to heal long-range memory with.

    python recall_text.py CKPT --text TEXT --output FILE [--segments 200] [--distance 1024] [--plain 0.4]

Segments of twice the distance: a passage of TEXT, with spans of 64 random tokens in it, and the same passage again; a
share of them (--plain) is TEXT as it is. Every segment has the same number of tokens, so `heal --context` of that
number reads them whole. The spans are seeded and are not those of `evaluate --recall`.
"""
import argparse
import random
from pathlib import Path

from perplexity import load_tokenizer, read_text

SPAN, EVERY = 64, 160


def count(tokenizer, text):
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def filled(tokenizer, text, tokens):
    """" " and the words of `text`, cut off or filled up with dots, of exactly that many tokens; None if that fails."""
    words = text.split(" ")
    lower, upper = 1, len(words)
    while lower < upper:
        middle = (lower + upper + 1) // 2
        if count(tokenizer, " " + " ".join(words[:middle])) <= tokens:
            lower = middle
        else:
            upper = middle - 1
    result = " " + " ".join(words[:lower])
    result += " ." * (tokens - count(tokenizer, result))
    return result if count(tokenizer, result) == tokens else None


def passage(tokenizer, ids, start, tokens, generator, spans):
    """About `tokens` tokens of the text from `start`, with or without random spans in them."""
    pieces, length = [], 0
    while length < tokens + SPAN:
        pieces.append(tokenizer.decode(ids[start + length:start + length + EVERY]))
        if spans:
            random_ids = [generator.randrange(256, tokenizer.get_vocab_size()) for _ in range(SPAN)]
            pieces.append(" " + tokenizer.decode(random_ids))
        length += EVERY
    return filled(tokenizer, " ".join("".join(pieces).split()), tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--text", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--segments", type=int, default=200)
    parser.add_argument("--distance", type=int, default=1024)
    parser.add_argument("--plain", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tokenizer, _ = load_tokenizer(options.checkpoint)
    ids = tokenizer.encode(read_text(options.text), add_special_tokens=False).ids
    generator, parts, start = random.Random(options.seed), [], 0
    while len(parts) < options.segments:
        plain = generator.random() < options.plain
        length = options.distance * (2 if plain else 1)
        part = passage(tokenizer, ids, start % (len(ids) - 2 * length), length, generator, not plain)
        start += length
        if part is not None:
            parts.append(part if plain else part + part)
    text = "".join(parts)
    assert count(tokenizer, text) == 2 * options.distance * options.segments
    Path(options.output).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
