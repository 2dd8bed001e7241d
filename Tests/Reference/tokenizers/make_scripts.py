"""Writes Sources/Tokenization/Text/ScriptTable.swift: which scalars belong to which script.

The table is of the Unicode version of the package regex (2026.11: version 17, which knows all
scripts of 16); the program leaves out scalars that are newer than version 16. `--check` compares
the ends of all runs with the reference library: only newer scalars may differ."""

import argparse
import subprocess
from pathlib import Path

import regex
from tokenizers import Regex
from tokenizers import pre_tokenizers as pre

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "Sources/Tokenization/Text/ScriptTable.swift"
# Perl lists the names of the scripts that it knows; these are newer.
NEWER = [
    "Kawi Kawi", "Nagm Nag_Mundari", "Gara Garay", "Gukh Gurung_Khema", "Krai Kirat_Rai",
    "Onao Ol_Onal", "Sunu Sunuwar", "Todr Todhri", "Tutg Tulu_Tigalari",
]
LIST = (
    'use Unicode::UCD qw(prop_values prop_value_aliases);'
    'for (sort(prop_values("Script"))) { print join(" ", prop_value_aliases("Script", $_)), "\\n"; }'
)
TEXT = "".join(chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000)


def scripts():
    """Names and runs of each script."""
    listed = subprocess.run(["perl", "-e", LIST], capture_output=True, text=True, check=True)
    for line in sorted(listed.stdout.splitlines() + NEWER):
        names = sorted({name.lower().replace("_", "") for name in line.split()})
        if "zzzz" in names or not names:
            continue
        pattern = regex.compile(rf"\p{{Script={names[0]}}}+")
        runs = []
        for match in pattern.finditer(TEXT):
            first, last = ord(match[0][0]), ord(match[0][-1])
            # Surrogates are not in the text; no run crosses them.
            assert not first < 0xD800 <= last
            runs.append((first, last))
        if runs:
            yield names, runs


def write(table):
    lines = []
    for names, runs in table:
        words, end = list(names), 0
        for first, last in runs:
            words.append(f"{first - end:X}+{last - first + 1:X}")
            end = last + 1
        line = "    "
        for word in words:
            if len(line) + len(word) > 97:
                lines.append(line + "\\")
                line = "    "
            line += word + " "
        lines.append(line.rstrip())
    TABLE.write_text(
        "// Written by Tests/Reference/tokenizers/make_scripts.py.\n\n"
        "extension Scripts {\n"
        "  /// A line for each script: its names, then `gap+count` for each run of its scalars.\n"
        '  static let text = """\n' + "\n".join(lines) + '\n    """\n}\n', encoding="utf-8")


def check(table):
    """Compares the scalars at the ends of all runs with the reference library."""
    ends = {value for _, runs in table for run in runs for end in run
            for value in (end - 1, end, end + 1)}
    ends = sorted(value for value in ends if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000)
    for names, runs in table:
        split = pre.Split(Regex(rf"\p{{{names[-1]}}}"), "isolated")
        between = "a" if "common" in names else "\0"
        pieces = split.pre_tokenize_str("".join(between + chr(value) for value in ends))
        found = {ord(piece) for piece, _ in pieces if len(piece) == 1} - {ord(between)}
        ours = {value for value in ends if value and any(first <= value <= last for first, last in runs)}
        if found != ours:
            print(names, "only ours:", [hex(value) for value in sorted(ours - found)],
                  "only theirs:", [hex(value) for value in sorted(found - ours)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    table = list(scripts())
    write(table)
    if parser.parse_args().check:
        check(table)


if __name__ == "__main__":
    main()
