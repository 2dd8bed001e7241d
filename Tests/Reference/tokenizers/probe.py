"""Builds probe.swift against the modules Tokenization and ChatTemplates of this package."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WORK = ROOT / ".build/probe"
PROBE = os.environ.get("PROBE", str(WORK / "probe"))


def build() -> Path:
    """Builds the probe and returns a directory for temporary files. With PROBE in the environment
    the one it names is used."""
    if "PROBE" in os.environ:
        return Path(PROBE).parent
    for module in ["Tokenization", "ChatTemplates"]:
        subprocess.run(
            ["swift", "build", "-c", "release", "--target", module], cwd=ROOT, check=True,
            capture_output=True,
        )
    WORK.mkdir(parents=True, exist_ok=True)
    release = ROOT / ".build/release"
    objects = [
        str(file)
        for module in ["Foundations", "StrictJSON", "Tokenization", "ChatTemplates"]
        for file in (release / f"{module}.build").glob("*.o")
    ]
    subprocess.run(
        ["swiftc", "-O", "-swift-version", "6", "-I", str(release / "Modules"),
         str(HERE / "probe.swift"), *objects, "-o", PROBE],
        check=True,
    )
    return WORK
