#!/usr/bin/env python3
"""Kills every step that writes at random points, continues it, and compares the result with that of a run left alone.

    Tests/Trust/kill.py PROGRAM [--kills 120] [--seed 0] [--work DIR] [--only STEP]

A run is killed (SIGKILL) either after a random time or, where `strace` is installed, at a random system call of those
that change files: renames, writes, syncs, removals. Some of the runs that continue are killed again. In the end the output
has the bytes of the uninterrupted run, nothing is left beside it, and no input has changed; after each kill, whatever
has the final name is whole. Prints what it found and ends with 1 when there was anything. Needs Python and nothing else.
"""
import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where a step asks the system for something that a kill before or after might matter for.
CALLS = ("rename", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "openat", "write", "pwrite64", "pwritev", "fsync",
         "fdatasync", "ftruncate", "close")
# What only the journal of a commit and the workspace may add to a directory that has its final name.
UNFINISHED = ("journal", ".work")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--kills", type=int, default=120, help="kills in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("/tmp/spikingbrain-kill"))
    parser.add_argument("--only", help="one step")
    options = parser.parse_args()
    harness = Harness(options.program.resolve(), options.work.resolve(), random.Random(options.seed))
    steps = [s for s in harness.steps() if options.only in (None, s.name)]
    for step in steps:
        harness.reference(step)
    number = 0
    try:
        while sum(s.kills for s in steps) < options.kills and number < 4 * options.kills:
            harness.interrupt(steps[number % len(steps)])
            number += 1
    except KeyboardInterrupt:
        print("interrupted; what was found so far:")
    for step in steps:
        calls = sum(step.calls.values())
        print(f"{step.name:10} {step.seconds:5.2f} s, {calls:5} calls that change files; {step.kills:4} kills in "
              f"{step.runs} runs: {step.early} before anything was there, {step.between} in between, {step.late} with the "
              f"output in place")
    print(f"{sum(s.kills for s in steps)} kills, {len(harness.found)} findings")
    for finding in harness.found:
        print("FOUND", finding)
    sys.exit(1 if harness.found else 0)


class Step:
    """A command; `{}` stands for its output."""

    def __init__(self, name, *command, resumes=True):
        self.name, self.command, self.resumes = name, command, resumes
        self.seconds, self.calls, self.expected = 0, {}, None
        self.kills = self.runs = self.early = self.between = self.late = 0

    def arguments(self, output, again=False):
        words = [str(part).replace("{}", str(output)) for part in self.command]
        return words + (["--resume"] if again and self.resumes else [])


class Harness:
    def __init__(self, program, work, draw):
        self.program, self.work, self.draw, self.found = program, work, draw, []
        self.has_strace = shutil.which("strace") is not None
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)

    def steps(self):
        """Each reads what the one before made, all of it small enough to be made in a second or two."""
        tiny, text = ROOT / "demo/tiny-qwen2", self.work / "text.txt"
        text.write_bytes((ROOT / "demo/war-and-peace-begin.txt").read_bytes()[:60000])
        source, converted, healed = self.work / "source", self.work / "converted", self.work / "healed"
        shutil.copytree(tiny, source)
        shards = ("--shard-size", "1MB", "--quiet")
        steps = [
            Step("convert", "convert", source, "{}", "--window", "32", *shards),
            Step("heal", "heal", converted, "--teacher", source, "--output", "{}", "--text", text, "--tokens", "2048",
                 "--context", "64", "--steps", "4", "--quiet"),
            Step("upcycle", "upcycle", converted, "{}", "--experts", "4", "--shared", "1", *shards),
            Step("calibrate", "calibrate", healed, "{}", "--text", text, "--samples", "8", "--context", "64", "--weights",
                 "int8", *shards),
            Step("export", "export", healed, "{}", "--profile", "hf", *shards),
            Step("pack", "pack", healed, "{}", "--quiet", resumes=False),
        ]
        for step, output in ((steps[0], converted), (steps[1], healed)):
            self.finish(step, output)
        self.inputs = {path: digest(path) for path in (source, converted, healed, text)}
        return steps

    def reference(self, step):
        output = self.place()
        start = time.monotonic()
        self.finish(step, output)
        step.seconds, step.expected = time.monotonic() - start, digest(output)
        if self.has_strace:
            output, counts = self.place(), self.work / "counts"
            subprocess.run(["strace", "-f", "-c", "-o", counts, "-e", "trace=" + ",".join(CALLS), self.program,
                            *step.arguments(output)], check=True, capture_output=True)
            for line in counts.read_text().splitlines():
                words = line.split()
                if words and words[-1] in CALLS:
                    step.calls[words[-1]] = int(words[3])

    def finish(self, step, output):
        done = subprocess.run([self.program, *step.arguments(output)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(step.arguments(output))}: {done.stderr}")

    def place(self):
        """A directory with nothing in it but what a run makes; the name of an output in it."""
        place = self.work / "run"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place / "out"

    def interrupt(self, step):
        output, log, again = self.place(), [], False
        step.runs += 1
        while not again or self.draw.random() < 0.4:
            killed, what = self.kill(step, output, again)
            log.append(what)
            again = True
            if not killed:
                break
            step.kills += 1
            if output.exists():
                step.late += 1
            elif any(output.parent.iterdir()):
                step.between += 1
            else:
                step.early += 1
            if output.exists() and self.differs(step, output, whole=False):
                self.report(step, log, "what has the final name is not whole")
                return
        if step.resumes or not output.exists():
            done = subprocess.run([self.program, *step.arguments(output, again)], capture_output=True, text=True)
            if done.returncode:
                self.report(step, log, f"cannot be continued: {done.stderr.strip()[-300:]}")
                return
        problem = self.differs(step, output, whole=True)
        left = sorted(p.name for p in output.parent.iterdir() if p != output)
        # What a killed `pack` was writing is nobody's, and has a name that says so.
        if left and step.resumes:
            problem = problem or f"left beside it: {left}"
        changed = [str(path) for path, before in self.inputs.items() if digest(path) != before]
        problem = problem or (f"changed its input {changed}" if changed else None)
        if problem:
            self.report(step, log, problem)

    def kill(self, step, output, again):
        """Runs a step and kills it; whether it was running still, and where it was killed."""
        command, name = [self.program, *step.arguments(output, again)], None
        if step.calls and self.draw.random() < 0.6:
            # Rare calls as often as frequent ones, and early ones of these more often than late ones.
            name = self.draw.choice(sorted(step.calls))
            place = 1 + int(step.calls[name] * self.draw.random() ** 2)
            command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e",
                       f"inject={name}:signal=KILL:when={place}", *command]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if name:
            process.wait()
            return process.returncode not in (0, 2), f"{name} {place}"
        seconds = self.draw.uniform(0, 1.05 * step.seconds)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode < 0, f"{seconds:.3f} s"

    def differs(self, step, output, whole):
        found = digest(output)
        if not whole:
            found = {n: d for n, d in found.items() if not any(part in n for part in UNFINISHED)}
        names = sorted(n for n in found.keys() | step.expected.keys() if found.get(n) != step.expected.get(n))
        return f"other bytes than the uninterrupted run: {names[:5]}" if names else None

    def report(self, step, log, problem):
        number = len(self.found)
        kept = self.work / f"found-{number}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.work / "run", kept)
        self.found.append(f"{step.name}, killed at {', '.join(log)}: {problem}; kept in {kept}")


def digest(path):
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


if __name__ == "__main__":
    main()
