#!/usr/bin/env python3
"""Damages checkpoints in thousands of ways and runs the program on each.

    Tests/Trust/mutate.py PROGRAM [--count 2000] [--seed 0] [--work DIR] [--only NAME]

Whatever a file holds, a run ends by itself within 10 seconds and 2 GiB with exit code 0, 1, 2 or 64 and one message, and
writes nothing outside its output. Where a manifest lies beside the weights, `verify` finds every change of a byte, and
names the tensor. Deterministic: the same seed damages the same bytes. Needs Python and nothing else. Prints what it found and
ends with 1 when there was anything; failing inputs are kept in DIR/found.
"""
import argparse
import hashlib
import json
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS, LIMIT_BYTES = 10, 2 << 30
TEXT = b"It is a truth universally acknowledged, that a single man in possession of a good fortune"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--count", type=int, default=2000, help="damaged inputs in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("/tmp/spikingbrain-mutate"))
    parser.add_argument("--only", help="the name of one kind of input")
    options = parser.parse_args()
    sweep = Sweep(options.program.resolve(), options.work.resolve(), options.seed)
    subjects = [s for s in sweep.subjects() if options.only in (None, s.name)]
    for number in range(options.count):
        sweep.damage(subjects[number % len(subjects)], number)
    for name, count in sorted(sweep.counts.items()):
        print(f"{count:6} {name}")
    print(f"{options.count} damaged inputs, {sweep.runs} runs, {len(sweep.found)} findings")
    for finding in sweep.found:
        print("FOUND", finding)
    sys.exit(1 if sweep.found else 0)


class Subject:
    """A directory, the files in it that are damaged, and the commands that are run on it."""

    def __init__(self, name, directory, files, commands, manifest=False):
        self.name, self.directory, self.files, self.commands = name, directory, files, commands
        self.has_manifest = manifest


class Sweep:
    def __init__(self, program, work, seed):
        self.program, self.work, self.seed = program, work, seed
        self.runs, self.counts, self.found = 0, {}, []
        shutil.rmtree(work, ignore_errors=True)
        (work / "clean").mkdir(parents=True)
        (work / "found").mkdir()

    # What is damaged ------------------------------------------------------------------------------------------------

    def subjects(self):
        clean, tiny = self.work / "clean", ROOT / "demo/tiny-qwen2"
        source, text = clean / "source", clean / "text.txt"
        text.write_bytes(TEXT * 40)
        config = json.loads((tiny / "config.json").read_text())
        config.update(num_hidden_layers=2, intermediate_size=128)
        (clean / "config.json").write_text(json.dumps(config))
        self.ok("synthesize", clean / "config.json", source)
        (source / "manifest.json").unlink()
        for name in ("tokenizer.json",):
            shutil.copy(tiny / name, source / name)
        converted, own, spiked = clean / "converted", clean / "own", clean / "spiked"
        self.ok("convert", source, converted, "--window", "16")
        self.ok("convert", source, own, "--layout", "intra-layer", "--window", "16")
        self.ok("calibrate", converted, spiked, "--text", text, "--samples", "4", "--context", "32", "--weights", "int8")
        for profile in ("gguf", "w8a16-g128"):
            self.ok("export", converted if profile == "gguf" else spiked, clean / profile, "--profile", profile)
        (clean / "shards").mkdir()
        self.ok("convert", source, clean / "shards/out", "--shard-size", "300kB")
        self.ok("pack", converted, clean / "packed.sbz")
        archive = clean / "archive"
        archive.mkdir()
        shutil.move(clean / "packed.sbz", archive / "packed.sbz")
        state = clean / "state"
        shutil.copytree(converted, state)
        self.ok("generate", converted, "--prompt", "It is a truth", "--max-tokens", "2", "--save-state", state / "state")
        read = [("inspect", "{}"), ("verify", "{}"), ("generate", "{}", "--prompt", "It is a truth", "--max-tokens", "2")]
        write = [("convert", "{}", "{out}", "--window", "16")]
        export = [("export", "{}", "{out}", "--profile", "hf")]
        gguf = next((clean / "gguf").glob("*.gguf")).name
        return [
            Subject("source", source, ["model.safetensors", "config.json", "tokenizer.json"], read + write),
            Subject("converted", converted, None, read + export, manifest=True),
            Subject("own layout", own, None, read + export, manifest=True),
            Subject("spiked INT8", spiked, None, read + export, manifest=True),
            Subject("shards", clean / "shards/out", None, read + export, manifest=True),
            Subject("compressed-tensors", clean / "w8a16-g128", ["model.safetensors", "config.json"], read),
            Subject("gguf", clean / "gguf", [gguf], [
                (c[0], "{}/" + gguf, *c[2:]) for c in read + write]),
            Subject("hdf5", ROOT / "formats/hdf5/valid/model", ["model.weights.h5"], [
                read[0], read[1], ("convert", "{}", "{out}", "--window", "8")]),
            Subject("calibration", spiked, ["calibration.h5"], [
                ("report", "{}", "--output", "{out}", "--no-timing")]),
            Subject("archive", archive, ["packed.sbz"], [
                ("inspect", "{}/packed.sbz"), ("unpack", "{}/packed.sbz", "{out}")]),
            Subject("state", state, ["state"], [
                ("generate", "{}", "--state", "{}/state", "--max-tokens", "2")]),
        ]

    def ok(self, *command):
        done = subprocess.run([self.program, *map(str, command)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")

    # How ------------------------------------------------------------------------------------------------------------

    def damage(self, subject, number):
        draw = random.Random(f"{self.seed} {number}")
        place = self.work / "damaged"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(subject.directory, place)
        names = subject.files or sorted(p.name for p in place.iterdir() if p.is_file())
        name = draw.choice(names)
        file = place / name
        before = file.read_bytes()
        kind, after = mutation(draw, before, name)
        if after is None:
            kind, after = self.exchange(draw, place, name, before)
        if after == before:
            return
        file.write_bytes(after)
        self.counts[f"{subject.name}: {kind}"] = self.counts.get(f"{subject.name}: {kind}", 0) + 1
        what = f"{number} {subject.name}, {name}: {kind}"
        tensor = self.tensor(place, name, before, after) if subject.has_manifest else None
        for command in subject.commands:
            out = self.work / "out"
            for path in (out, Path(f"{out}.partial")):
                shutil.rmtree(path, ignore_errors=True)
            seen = digest(place)
            code, output, problem = self.run([part.format(place, out=out) for part in command])
            if problem is None and digest(place) != seen:
                problem = "it wrote into its input"
            if problem is None and code == 2 and out.exists():
                problem = "it failed and left an output under its final name"
            if problem is None and command[0] == "verify" and subject.has_manifest:
                if code == 0:
                    problem = "verify passed"
                elif tensor and code == 1 and tensor not in output:
                    problem = f"verify did not name {tensor}"
            if problem:
                self.found.append(f"{what}: {' '.join(command)}: {problem}: {output.strip()[-300:]}")
                shutil.copytree(place, self.work / "found" / str(number), dirs_exist_ok=True)

    def run(self, command):
        self.runs += 1
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
        try:
            done = subprocess.run([self.program, *command], capture_output=True, timeout=6 * LIMIT_SECONDS,
                                  preexec_fn=limit, cwd=self.work, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return None, "", f"still running after {6 * LIMIT_SECONDS} s"
        used = done.stdout + done.stderr
        output = used.decode("utf-8", "replace")
        if done.returncode not in (0, 1, 2, 64):
            return done.returncode, output, f"exit {done.returncode}"
        if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", used.replace(b"\r", b"")):
            return done.returncode, output, "control characters in its output"
        if done.returncode == 2 and "error:" not in output:
            return done.returncode, output, "no message"
        return done.returncode, output, None

    @staticmethod
    def exchange(draw, place, name, before):
        """The content of another file of the directory."""
        others = sorted(p for p in place.iterdir() if p.is_file() and p.name != name)
        return "another file's content", draw.choice(others).read_bytes() if others else before

    @staticmethod
    def tensor(place, name, before, after):
        """The tensor that a flipped bit lies in; None for other changes and other places."""
        if len(before) != len(after) or not name.endswith(".safetensors"):
            return None
        changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
        manifest = json.loads((place / "manifest.json").read_text())
        for tensor in manifest["tensors"]:
            first = tensor["offset"]
            if tensor["file"] == name and len(changed) < 64 and all(
                    first <= i < first + tensor["bytes"] for i in changed):
                return tensor["name"]
        return None


def mutation(draw, data, name):
    """A kind of damage and the damaged bytes; None for bytes of another file."""
    kinds = ["bit", "byte", "run", "cut", "grow", "length", "exchange", "copy"]
    if name.endswith(".json") or name == "manifest.json":
        kinds += ["key", "number", "twice"] * 2
    kind = draw.choice(kinds)
    out = bytearray(data)
    # Headers are small and full of meaning: half of the places are there.
    at = draw.randrange(min(len(out), 4096)) if draw.random() < 0.5 else draw.randrange(len(out))
    if kind == "bit":
        out[at] ^= 1 << draw.randrange(8)
    elif kind == "byte":
        out[at] = draw.choice([0, 0xFF, 0x7F, 0x80, draw.randrange(256)])
    elif kind == "run":
        count = draw.randrange(1, 64)
        out[at:at + count] = bytes(draw.randrange(256) for _ in out[at:at + count])
    elif kind == "cut":
        del out[draw.choice([at, len(out) - 1, len(out) // 2]):]
    elif kind == "grow":
        out += bytes(draw.choice([1, 4096]))
    elif kind == "length":
        value = draw.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1, len(out)])
        at = draw.choice([0, 8, 16, at & ~7])
        out[at:at + 8] = struct.pack("<Q", value)[:len(out[at:at + 8])]
    elif kind == "copy":
        to, count = draw.randrange(len(out)), draw.randrange(1, 512)
        out[to:to + count] = out[at:at + len(out[to:to + count])]
    elif kind == "exchange":
        return kind, None
    else:
        return kind, of_json(draw, kind, bytes(out))
    return kind, bytes(out)


def of_json(draw, kind, data):
    """A key that goes or is renamed, a number that is another, a member that comes twice; as text."""
    text = data.decode("utf-8", "replace")
    if kind == "number":
        places = list(re.finditer(r"-?\d+(\.\d+)?", text))
        new = draw.choice(["0", "-1", "1e999", "1e-400", "NaN", "4294967296", "9223372036854775808", "0.5", '"7"', "null",
                           "[1]", "true", str(10**40)])
    else:
        places = list(re.finditer(r'"[^"\\\n]{1,60}"\s*:', text))
        new = draw.choice(['"other":', '"":', '"\\u0000":', '"\\ud800":'])
    if not places:
        return data
    place = draw.choice(places)
    if kind == "twice":
        new = place.group() + " 1, " + place.group()
    return (text[:place.start()] + new + text[place.end():]).encode()


def digest(directory):
    parts = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        parts.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return parts.digest()


if __name__ == "__main__":
    main()
