"""Makes the data files of the tasks beside it from the public-domain texts in demo/; needs nothing but Python 3.

    python3 tasks/make.py

Equal texts give equal bytes: nothing is drawn at random.
"""
import json
import re
from pathlib import Path

TASKS = Path(__file__).resolve().parent
DEMO = TASKS.parent / "demo"
LENGTHS = [512, 1024, 2048, 4096]
ITEMS = 20          # of copying and passkey, per length
FILLER = "The aide-de-camp was sent to confirm the order"
FILLER_TOKENS = 64  # of that paragraph, with a large vocabulary

TASK = """\
# Written by make.py.
task: {name}-{tokens}
dataset_path: json
dataset_kwargs:
  data_files:
    test: tasks/{name}-{tokens}.jsonl
test_split: test
output_type: generate_until
doc_to_text: {style}
{text}doc_to_target: "{target}"
generation_kwargs:
  until: ["{until}"]
  max_gen_toks: 24
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
num_fewshot: 0
metadata:
  version: 1.0
"""
COPYING = """\
  {{lines|join('\\n')}}

  {% for _ in range(filler) %}FILLER
  {% endfor %}
  {{lines[:6]|join('\\n')}}
"""
PASSKEY = """\
  {% for _ in range(before) %}FILLER
  {% endfor %}The pass key is {{key}}. Remember it.
  {% for _ in range(after) %}FILLER
  {% endfor %}What is the pass key? The pass key is
"""


def write(name, documents):
    lines = [json.dumps(document, ensure_ascii=False) + "\n" for document in documents]
    (TASKS / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def paragraphs(name):
    """The paragraphs of a text, each as one line, without underscores for italics."""
    text = (DEMO / name).read_text(encoding="utf-8").replace("_", "")
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def last_words(words):
    """Passages of 60 words before a word that ends a sentence."""
    place = 60
    while place < len(words):
        word = re.fullmatch(r"([A-Za-z]{4,})[.!?;]”?", words[place])
        if word:
            yield {"passage": " ".join(words[place - 60:place]), "word": word[1]}
            place += 12
        place += 1


def continuations(words, count, length=48, ending=12):
    """A passage, and four endings of which one is its own; the others stand elsewhere in the book."""
    step = (len(words) - length - ending) // count
    starts = [number * step for number in range(count)]
    endings = [" ".join(words[start + length:start + length + ending]) for start in starts]
    for number, start in enumerate(starts):
        others = [endings[(number + shift) % count] for shift in (count // 4, count // 2, 3 * count // 4)]
        label = (7 * number + number // 3) % 4
        yield {"passage": " ".join(words[start:start + length]),
               "endings": others[:label] + [endings[number]] + others[label:], "label": label}


def copies(words, tokens):
    """Ten lines of four words, of which six come again after the filler: the seventh is to be copied."""
    for number in range(ITEMS):
        start = number * ((len(words) - 40) // ITEMS)
        lines = [" ".join(words[place:place + 4]) for place in range(start, start + 40, 4)]
        yield {"lines": lines, "filler": tokens // FILLER_TOKENS - 2}


def keys(tokens):
    """Five digits, somewhere in the filler."""
    count = tokens // FILLER_TOKENS - 1
    for number in range(ITEMS):
        before = count * number // (ITEMS - 1)
        key = (number + 1) * 48271 * 7919 % 90000 + 10000
        yield {"key": str(key), "before": before, "after": count - before}


def main():
    words = " ".join(paragraphs("pride-and-prejudice-end.txt")).split()
    write("last-word", list(last_words(words))[:160])
    write("continuation", continuations(words, 120))
    filler = next(part for part in paragraphs("war-and-peace-begin.txt") if part.startswith(FILLER))
    for tokens in LENGTHS:
        for name, style, text, target, until, documents in (
                ("copying", "|", COPYING, "{{lines[6]}}", "\\n", copies(words, tokens)),
                ("passkey", "|-", PASSKEY, "{{' ' + key}}", ".", keys(tokens))):
            write(f"{name}-{tokens}", documents)
            (TASKS / f"{name}-{tokens}.yaml").write_text(TASK.format(
                name=name, tokens=tokens, style=style, text=text.replace("FILLER", filler), target=target, until=until))


if __name__ == "__main__":
    main()
