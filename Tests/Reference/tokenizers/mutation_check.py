"""Feeds damaged tokenizers and chat templates to the probe: it may refuse them, never crash.

    python mutation_check.py [--count N] [--seed S] [TEMPLATE.jinja …]"""

import argparse
import json
import random
import subprocess
from pathlib import Path

from chat_check import TOKENS
from kinds import edges, llama2, llama3
from probe import PROBE, build
from samples import random_text
from templates import TEMPLATES

ODD = [None, True, 0, -1, 1 << 62, 1.5, "", "a", "\\", "(", "[^", "\u0000", [], {}, [[]], {"type": 1}]


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        children = list(value.items())
    else:
        children = list(enumerate(value)) if isinstance(value, list) else []
    for key, child in children:
        yield from paths(child, (*path, key))


def mutate(rng, document):
    document = json.loads(json.dumps(document))
    for _ in range(rng.randint(1, 3)):
        # The vocabulary is most of the document: choose among the other members half the time.
        choices = [p for p in paths(document) if p and (rng.random() < 0.02 or p[0] != "model"
                                                       or len(p) < 3)]
        path = rng.choice(choices)
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        kind = rng.random()
        if kind < 0.3:
            del parent[path[-1]]
        elif kind < 0.8:
            parent[path[-1]] = rng.choice(ODD)
        elif isinstance(parent, list):
            parent.append(parent[path[-1]])
    return document


def damage(rng, text):
    text = list(text)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.randint(0, 6))
        text[start:end] = rng.choice(["", "{{", "}}", "{%", "%}", "-", "(", ")", "[", "]", "'", "|",
                                      ".", " not ", " is ", "for ", "1", "{#", "*", "\\", "é"])
    return "".join(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("templates", nargs="*")
    options = parser.parse_args()
    path = build() / "mutated.json"
    rng = random.Random(options.seed)
    documents = [json.loads(kind().to_str()) for kind in [llama2, llama3, edges]]
    results = {"accepted": 0, "refused": 0, "CRASHED": 0}
    for index in range(options.count):
        text = json.dumps(mutate(rng, rng.choice(documents)))
        if rng.random() < 0.1:
            text = damage(rng, text)
        path.write_text(text)
        request = "\n".join(random_text(rng).encode().hex() for _ in range(5)) + "\n"
        code = subprocess.run(
            [PROBE, "encode", str(path)], input=request, capture_output=True, text=True, timeout=60
        ).returncode
        results["accepted" if code == 0 else "refused" if code == 2 else "CRASHED"] += 1
        if code not in (0, 2):
            path.with_name(f"crash-{index}.json").write_text(text)
            path.with_name(f"crash-{index}.txt").write_text(request)
    print("tokenizers", results)

    sources = [*TEMPLATES.values(), *(Path(name).read_text() for name in options.templates)]
    messages = [{"role": role, "content": role} for role in ["system", "user", "assistant", "user"]]
    requests = [
        json.dumps({"config": {"chat_template": damage(rng, rng.choice(sources)), **TOKENS},
                    "messages": messages})
        for _ in range(options.count * 10)
    ]
    run = subprocess.run([PROBE, "chat"], input="\n".join(requests) + "\n", capture_output=True,
                         text=True)
    answers = run.stdout.splitlines()
    refused = sum(answer.startswith("!") for answer in answers)
    print(f"templates: {len(answers) - refused} accepted, {refused} refused, "
          f"{len(requests) - len(answers)} CRASHED")
    if len(answers) < len(requests):
        print(requests[len(answers)])


if __name__ == "__main__":
    main()
