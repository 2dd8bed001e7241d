"""Compares the program's tokenizers with their own libraries on real vocabularies.

    python published_check.py [--count N] [--seed S] [--only NAME …] [--file KIND=PATH …]
                              [--templates] [--store DIR]

Fetches the packages of published.py with pip. GGUF vocabularies need `llama_cpp`
(`pip install llama-cpp-python`, which compiles it); they are left out where there is none.
`--file` takes files of one's own. Prints a row of a table for each: name, kind, package, texts, texts
whose ids differ, texts that decode to another one, and for GGUF texts where only llama.cpp differs:
`tokenizers` with the file that the program writes gives our ids. Ends with 1 when one differs.
"""

import argparse
import ctypes
import functools
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import chat_check
import ranks
from file_check import hostile
from gguf_dump import dump
from probe import PROBE, build
from published import LLAMA_CPP, PUBLISHED, Published
from samples import CASES, WORDS, random_text
from tokenizers import Tokenizer, normalizers


def fetch(package: str, store: Path) -> Path:
    """The package's file, fetched into `store` unless it is there."""
    directory = store / package
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=store) as partial:
            source = ["--no-binary", "llama-cpp-python"]
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", partial,
                 *(source if package == LLAMA_CPP else []), package], check=True)
            shutil.copytree(partial, directory)
    return next(directory.iterdir())


def unpack(entry: Published, store: Path) -> Path:
    """The tokenizer's file out of its package; the wrong one is an error."""
    name = hashlib.sha256(entry.member.encode()).hexdigest()[:8] + "-" + Path(entry.member).name
    path = store / name
    if not path.exists():
        archive = fetch(entry.package, store)
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as package:
                data = package.read(entry.member)
        else:
            with tarfile.open(archive) as package:
                member = next(m for m in package if m.name.endswith("/" + entry.member))
                data = package.extractfile(member).read()
        path.write_bytes(data)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if entry.sha256 and found != entry.sha256:
        raise SystemExit(f"{entry.name}: {path} has SHA-256 {found}, not {entry.sha256}")
    return path


class Reference:
    """A library's tokenizer: `source` is what the probe reads, `words` what to put into texts,
    `hidden` what to keep out of them, `lead` how many ids in front `decode` must not see, `arbiter`
    what another library gives where this one differs."""

    def __init__(self, source, encode, decode, words=(), hidden=(), lead=0, arbiter=None):
        self.source, self.encode, self.decode = source, encode, decode
        self.words, self.hidden, self.lead = list(words), list(hidden), lead
        self.arbiter = arbiter


def from_json(entry, path, directory):
    tokenizer = Tokenizer.from_file(str(path))
    source = directory / "tokenizer.json"
    shutil.copy(path, source)
    return Reference(
        source, lambda text: tokenizer.encode(text).ids,
        lambda ids: tokenizer.decode(ids, skip_special_tokens=False),
        [token.content for token in tokenizer.get_added_tokens_decoder().values()])


def from_sentencepiece(entry, path, directory):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    shutil.copy(path, directory / "tokenizer.model")
    ids = range(processor.vocab_size())
    # SentencePiece itself does not look for these in a text; everyone else does.
    hidden = [processor.id_to_piece(i) for i in ids
              if processor.is_control(i) or processor.is_unknown(i)]
    return Reference(
        directory, lambda text: [processor.bos_id(), *processor.encode(text)],
        processor.decode, hidden=hidden, lead=1)


def from_tekken(entry, path, directory):
    from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tokenizer = Tekkenizer.from_file(path)
    shutil.copy(path, directory / "tekken.json")
    special = [tokenizer.id_to_piece(i) for i in range(tokenizer.num_special_tokens)]
    # Its library does not look for special tokens in a text; `transformers` does.
    return Reference(
        directory, lambda text: tokenizer.encode(text, bos=True, eos=False),
        lambda ids: tokenizer.decode(ids, special_token_policy=SpecialTokenPolicy.KEEP),
        hidden=special)


def from_ranks(entry, path, directory):
    import tiktoken

    table = ranks.load(path)
    # Special tokens have the ids that the ranks leave free.
    used = set(table.values())
    free = (i for i in range(len(used) + len(entry.special)) if i not in used)
    special = dict(zip(entry.special, free))
    encoding = tiktoken.Encoding(
        entry.name, pat_str=entry.pattern, mergeable_ranks=table, special_tokens=special)
    source = directory
    if entry.kind == "qwen":
        shutil.copy(path, directory / "qwen.tiktoken")
    else:
        source = directory / "tokenizer.json"
        ranks.tokenizer(table, entry.pattern, special, entry.normal_form).save(str(source))

    def encode(text):
        if entry.normal_form:
            # As `transformers` has it. Qwen's own code has the tables of the Python that runs it.
            text = getattr(normalizers, entry.normal_form)().normalize_str(text)
        return encoding.encode(text, allowed_special="all")

    return Reference(
        source, encode, lambda ids: encoding.decode(ids, errors="replace"), entry.special)


@functools.cache
def quiet(callback):
    """A log that says nothing; kept, for the library calls it to the end."""
    return callback(lambda level, text, data: None)


def from_gguf(entry, path, directory):
    import llama_cpp

    llama_cpp.llama_log_set(quiet(llama_cpp.llama_log_callback), ctypes.c_void_p(0))
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    metadata = dump(str(path))
    source = directory / "vocabulary.gguf.json"
    source.write_text(json.dumps(metadata))
    # The file that the program writes of it, in `tokenizers`. Decoding is as there (llama.cpp prints
    # added tokens as they are, and its binding cuts long ones), and what llama.cpp approximates too.
    subprocess.run([PROBE, "gguf", source, directory], capture_output=True)
    written = directory / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(written)) if written.exists() else None
    types = metadata.get("tokenTypes", [])
    return Reference(
        source, lambda text: model.tokenize(text.encode(), add_bos=True, special=True),
        lambda ids: tokenizer.decode(ids, skip_special_tokens=False),
        [token for token, kind in zip(metadata["tokens"], types) if kind in (3, 4)],
        arbiter=lambda text: tokenizer.encode(text).ids)


READERS = {
    "json": from_json, "spm": from_sentencepiece, "tekken": from_tekken, "qwen": from_ranks,
    "ranks": from_ranks, "gguf": from_gguf,
}


def ask(command: str, source, lines) -> list:
    answer = subprocess.run(
        [PROBE, command, str(source)], input="\n".join(lines) + "\n", capture_output=True,
        text=True)
    if answer.returncode:
        raise ValueError(answer.stdout.strip().split("\n")[-1] or answer.stderr)
    return answer.stdout.split("\n")


def texts(reference: Reference, count: int, seed: int) -> list:
    rng = random.Random(seed)
    words = WORDS + rng.sample(reference.words, min(40, len(reference.words)))
    made = [*CASES.values(), *hostile(rng), *(random_text(rng, words) for _ in range(count))]
    for hidden in sorted(reference.hidden, key=len, reverse=True):
        made = [text.replace(hidden, "") for text in made]
    return made


def compare(entry: Published, path: Path, count: int, seed: int) -> int:
    wrong = {"ids": 0, "decoded": 0}
    alone = 0

    def differ(what, shown, ours, theirs):
        wrong[what] += 1
        if wrong[what] <= 3:
            print(f"  {entry.name} {what}: {shown!r}\n    ours   {ours!r}\n    theirs {theirs!r}")

    with tempfile.TemporaryDirectory() as directory:
        reference = READERS[entry.kind](entry, path, Path(directory))
        made = texts(reference, count, seed)
        try:
            found = ask("ids", reference.source, [text.encode().hex() for text in made])
            expected = [reference.encode(text) for text in made]
            bare = [ids[reference.lead :] for ids in expected]
            decoded = ask(
                "decode", reference.source, [",".join(map(str, ids)) for ids in bare])
        except ValueError as error:
            print(f"{entry.name}: REFUSED: {error}", flush=True)
            return len(made)
        for text, line, ids, inner, back in zip(made, found, expected, bare, decoded, strict=False):
            ours = [int(i) for i in line.split(",") if i]
            if ours != ids and reference.arbiter and reference.arbiter(text) == ours:
                alone += 1
            elif ours != ids:
                differ("ids", text[:200], ours[:60], ids[:60])
            back, theirs = bytes.fromhex(back).decode(), reference.decode(inner)
            if back != theirs:
                differ("decoded", inner[:60], back[:200], theirs[:200])
    where = entry.package or path.name
    print(f"| {entry.name} | {entry.kind} | {where} | {len(made)} | {wrong['ids']} | "
          f"{wrong['decoded']} | {alone} |", flush=True)
    return sum(wrong.values())


def templates(store: Path) -> int:
    """Every chat template that llama.cpp's source carries, against `transformers`."""
    wrong = 0
    with tarfile.open(fetch(LLAMA_CPP, store)) as package:
        for member in package:
            if "/vendor/llama.cpp/models/templates/" in member.name and member.name.endswith(".jinja"):
                text = package.extractfile(member).read().decode()
                wrong += chat_check.compare(Path(member.name).stem, text, 20)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--file", nargs="*", default=[])
    parser.add_argument("--templates", action="store_true")
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    work = build()
    store = options.store or work / "packages"
    store.mkdir(parents=True, exist_ok=True)
    if options.templates:
        sys.exit(1 if templates(store) else 0)
    own = [file.split("=", 1) for file in options.file]
    wrong = 0
    for kind, path in own:
        wrong += compare(Published(Path(path).name, kind, "", path, ""), Path(path),
                         options.count, options.seed)
    chosen = [entry for entry in PUBLISHED if not options.only or entry.name in options.only]
    for entry in chosen if not own or options.only else []:
        try:
            wrong += compare(entry, unpack(entry, store), options.count, options.seed)
        except ModuleNotFoundError as error:
            print(f"{entry.name}: left out, no module {error.name}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
