"""Builds probe.swift against the Tokenization module of this package."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WORK = ROOT / ".build/probe"
PROBE = str(WORK / "probe")


def build() -> Path:
    """Builds the probe and returns a directory for temporary files."""
    subprocess.run(
        ["swift", "build", "-c", "release", "--target", "Tokenization"], cwd=ROOT, check=True,
        capture_output=True,
    )
    WORK.mkdir(parents=True, exist_ok=True)
    release = ROOT / ".build/release"
    objects = [
        str(file)
        for module in ["Foundations", "StrictJSON", "Tokenization"]
        for file in (release / f"{module}.build").glob("*.o")
    ]
    subprocess.run(
        ["swiftc", "-O", "-swift-version", "6", "-I", str(release / "Modules"),
         str(HERE / "probe.swift"), *objects, "-o", PROBE],
        check=True,
    )
    return WORK
