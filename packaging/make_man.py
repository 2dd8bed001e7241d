#!/usr/bin/env python3
"""Writes man pages from what the program says of itself.

    make_man.py PROGRAM DIRECTORY

One page for the program and one for each subcommand: the declarations that make the help make these.
"""

import json
import subprocess
import sys
from pathlib import Path


def roff(text):
    """A text as roff: nothing in it is a command."""
    lines = []
    for line in text.replace("\\", "\\e").replace("-", "\\-").splitlines():
        lines.append("\\&" + line if line.startswith((".", "'")) else line)
    # What is not ASCII by its number, which every roff reads.
    return "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in "\n".join(lines))


def spelled(argument):
    """`-h, --help`, `--max-ram size` or `ckpt`."""
    value = argument.get("valueName", "")
    if argument["kind"] == "positional":
        return f"\\fI{roff(value)}\\fR"
    names = ["-" * (2 if n["kind"] == "long" else 1) + n["name"] for n in argument.get("names", [])]
    text = ", ".join(f"\\fB{roff(n)}\\fR" for n in names)
    return text + (f" \\fI{roff(value)}\\fR" if argument["kind"] == "option" else "")


def synopsis(name, arguments):
    words = [f"\\fB{roff(name)}\\fR"]
    if any(a["kind"] != "positional" for a in arguments):
        words.append("[\\fIoptions\\fR]")
    for argument in arguments:
        if argument["kind"] == "positional":
            word = f"\\fI{roff(argument['valueName'])}\\fR"
            words.append(f"[{word}]" if argument.get("isOptional") else word)
    return " ".join(words)


def page(name, title, command, version, subcommands=()):
    arguments = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    parts = [
        f'.TH "{title.upper()}" "1" "" "spikingbrain {roff(version)}" "User Commands"',
        ".SH NAME", f"{roff(title)} \\- {roff(command.get('abstract', ''))}",
        ".SH SYNOPSIS", synopsis(name, arguments),
    ]
    if command.get("discussion"):
        parts += [".SH DESCRIPTION", roff(command["discussion"])]
    for heading, kinds in (("ARGUMENTS", {"positional"}), ("OPTIONS", {"option", "flag"})):
        chosen = [a for a in arguments if a["kind"] in kinds]
        if chosen:
            parts.append(f".SH {heading}")
        for argument in chosen:
            parts += [".TP", spelled(argument), roff(argument.get("abstract", ""))]
    if subcommands:
        parts.append(".SH COMMANDS")
        for sub in subcommands:
            parts += [".TP", f"\\fB{roff(sub['commandName'])}\\fR", roff(sub.get("abstract", ""))]
    parts += [
        ".SH EXIT STATUS", ".TP", "0", "All is well.", ".TP", "1", "A check failed.", ".TP", "2",
        "Bad input or environment.", ".TP", "64", "Wrong usage.",
    ]
    return "\n".join(parts) + "\n"


def main():
    program, directory = sys.argv[1], Path(sys.argv[2])
    dump = subprocess.run(
        [program, "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    root = json.loads(dump)["command"]
    name = root["commandName"]
    commands = [c for c in root["subcommands"] if c["commandName"] != "help"]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.1").write_text(page(name, name, root, version, commands))
    for command in commands:
        title = f"{name}-{command['commandName']}"
        text = page(f"{name} {command['commandName']}", title, command, version)
        (directory / f"{title}.1").write_text(text)


if __name__ == "__main__":
    main()
