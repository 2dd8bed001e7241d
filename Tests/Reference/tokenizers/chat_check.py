"""Compares chat templates with what `transformers` renders.

    python chat_check.py TEMPLATE.jinja … [--gguf MODEL.gguf] [--count N]"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

from gguf_dump import dump
from probe import PROBE, build
from samples import random_text
from templates import TEMPLATES
from transformers.utils.chat_template_utils import render_jinja_template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def conversations(rng: random.Random, count: int) -> list:
    users = [
        [{"role": "user", "content": "Hi"}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi \n"}],
        [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"},
         {"role": "user", "content": "3"}],
        [{"role": "system", "content": "S"}, {"role": "user", "content": "1"},
         {"role": "assistant", "content": "<think>\nhm\n</think>\n\n2"},
         {"role": "user", "content": "3"}],
        [{"role": "assistant", "content": "first"}],
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        [{"role": "system", "content": ""}], [],
    ]
    for _ in range(count):
        roles = ["system"] if rng.random() < 0.5 else []
        roles += [["user", "assistant"][i % 2] for i in range(rng.randint(1, 5))]
        if rng.random() < 0.2:
            rng.shuffle(roles)
        users.append([{"role": r, "content": random_text(rng)} for r in roles])
    return users


def expected(template: str, messages: list, generates: bool):
    try:
        rendered, _ = render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=generates, **TOKENS)
        return rendered[0]
    except Exception as error:  # whatever the template raises
        return error


def compare(name: str, template: str, count: int) -> int:
    rng = random.Random(3)
    cases = [(m, g) for m in conversations(rng, count) for g in (True, False)]
    config = {"chat_template": template, **TOKENS}
    request = "\n".join(
        json.dumps({"config": config, "messages": m, "add_generation_prompt": g})
        for m, g in cases
    )
    answers = subprocess.run(
        [PROBE, "chat"], input=request + "\n", capture_output=True, text=True, check=True
    ).stdout.split("\n")
    same = refused = wrong = unsupported = 0
    for (messages, generates), answer in zip(cases, answers, strict=False):
        theirs = expected(template, messages, generates)
        if answer.startswith("!"):
            if isinstance(theirs, Exception):
                refused += 1
                continue
            unsupported += 1
            if unsupported == 1:
                print(f"  {name}: {answer}")
        elif bytes.fromhex(answer).decode() == theirs:
            same += 1
        else:
            wrong += 1
            if wrong < 3:
                ours = bytes.fromhex(answer).decode()
                print(f"  {name}: {messages}\n    ours   {ours!r}\n    theirs {theirs!r}")
    print(f"{name}: {same} equal, {refused} refused by both, {unsupported} not supported, "
          f"{wrong} WRONG", flush=True)
    return unsupported + wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gguf")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("templates", nargs="*")
    options = parser.parse_args()
    build()
    templates = dict(TEMPLATES)
    if options.gguf:
        templates["GGUF"] = dump(options.gguf)["chatTemplate"]
    for path in options.templates:
        templates[Path(path).name] = Path(path).read_text(encoding="utf-8")
    wrong = sum(compare(name, text, options.count) for name, text in templates.items())
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
