"""Writes Tests/Fixtures/tokenizers: small trained tokenizers, the ids that the reference libraries
give with them, and prompts that chat templates give. Run from this directory; needs the packages
tokenizers, transformers and sentencepiece."""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

import file_kinds
from chat_check import TOKENS, conversations, expected
from kinds import KINDS
from pieces import sentencepiece_gguf
from samples import CASES, INVALID
from templates import TEMPLATES

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "Tests/Fixtures/tokenizers"


def golden(tokenizer: Tokenizer) -> list:
    texts = [(name, text.encode()) for name, text in CASES.items()] + list(INVALID.items())
    cases = []
    for name, data in texts:
        text = data.decode("utf-8", errors="replace")
        ids = tokenizer.encode(text).ids
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append({
            "name": name, "hex": data.hex(), "ids": ids, "plain": plain,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(ids, skip_special_tokens=True),
        })
    return cases


def golden_pieces(processor) -> list:
    """What SentencePiece gives for texts without its control tokens and user symbols."""
    texts = {name: text for name, text in CASES.items() if name not in ["special", "marks"]}
    return [
        {
            "name": name, "hex": text.encode().hex(), "plain": processor.encode(text),
            "ids": [processor.bos_id(), *processor.encode(text)],
        }
        for name, text in texts.items()
    ]


def golden_files() -> None:
    """Tokenizers in other files than tokenizer.json; one with a large table is checked only."""
    for kind in file_kinds.KINDS:
        if kind is file_kinds.spm_bpe:
            continue
        directory = FIXTURES / "files" / kind.__name__
        directory.mkdir(parents=True, exist_ok=True)
        encode = kind(directory)
        texts = {name: file_kinds.without_control(text) for name, text in CASES.items()}
        write(directory / "golden.json", [
            {"name": name, "hex": text.encode().hex(), "ids": encode(text)}
            for name, text in texts.items()
        ])


def golden_chats() -> list:
    chats = []
    for name, template in TEMPLATES.items():
        for messages in conversations(random.Random(1), 3):
            for generates in (True, False):
                prompt = expected(template, messages, generates)
                chats.append({
                    "name": name, "messages": messages, "add_generation_prompt": generates,
                    "prompt": prompt if isinstance(prompt, str) else None,
                })
    return chats


def write(path: Path, value, **options):
    path.write_text(json.dumps(value, ensure_ascii=False, **options) + "\n", encoding="utf-8")


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        tokenizer = kind()
        document = json.loads(tokenizer.to_str())
        write(FIXTURES / f"{kind.__name__}.tokenizer.json", document, separators=(",", ":"))
        write(FIXTURES / f"{kind.__name__}.golden.json", golden(tokenizer))
    processor, metadata = sentencepiece_gguf()
    write(FIXTURES / "sentencepiece.gguf.json", metadata)
    write(FIXTURES / "sentencepiece.golden.json", golden_pieces(processor))
    golden_files()
    write(FIXTURES / "chat.golden.json", {
        "tokens": TOKENS, "templates": TEMPLATES, "cases": golden_chats(),
    })
    tiny = ROOT / "demo/tiny-qwen2/tokenizer.json"
    if tiny.exists():
        write(FIXTURES / "tiny-qwen2.golden.json", golden(Tokenizer.from_file(str(tiny))))


if __name__ == "__main__":
    main()
