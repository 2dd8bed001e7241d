"""Writes Tests/Fixtures/tokenizers: small trained tokenizers and the ids that the `tokenizers`
library gives with them. Run from this directory; needs `pip install tokenizers`."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from kinds import KINDS
from samples import CASES, INVALID

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


def write(path: Path, value, **options):
    path.write_text(json.dumps(value, ensure_ascii=False, **options) + "\n", encoding="utf-8")


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        tokenizer = kind()
        document = json.loads(tokenizer.to_str())
        write(FIXTURES / f"{kind.__name__}.tokenizer.json", document, separators=(",", ":"))
        write(FIXTURES / f"{kind.__name__}.golden.json", golden(tokenizer))
    tiny = ROOT / "demo/tiny-qwen2/tokenizer.json"
    if tiny.exists():
        write(FIXTURES / "tiny-qwen2.golden.json", golden(Tokenizer.from_file(str(tiny))))


if __name__ == "__main__":
    main()
