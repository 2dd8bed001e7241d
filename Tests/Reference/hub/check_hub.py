#!/usr/bin/env python3
"""What the program leaves in the Hub's cache, as huggingface_hub and transformers find it, and back.

    check_hub.py PROGRAM WORK

The Hub is stand_in_hub.py, on this machine. Prints a line a check; ends with 1 when one fails.
"""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from stand_in_hub import serve  # noqa: E402

TINY = Path(__file__).resolve().parents[3] / "demo/tiny-qwen2"

CHECK = """
import sys
from huggingface_hub import scan_cache_dir, snapshot_download
place = snapshot_download("tests/tiny", local_files_only=True)
assert place == sys.argv[1], (place, sys.argv[1])
found = scan_cache_dir()
assert not found.warnings, found.warnings
(repo,) = found.repos
(revision,) = repo.revisions
assert revision.refs == {"main"}, revision.refs
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained("tests/tiny", local_files_only=True)
print(len(revision.files), "files,", sum(p.numel() for p in model.parameters()), "parameters")
"""
FETCH = """
from huggingface_hub import snapshot_download
print(snapshot_download("tests/tiny"))
"""


def fetched_by(fetcher, program, url, home):
    """Fetches with one and reads with the others; returns what to say of it."""
    environment = {
        **os.environ, "HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    def run(*words, **others):
        done = subprocess.run(
            [str(word) for word in words], env={**environment, **others}, text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return done.stdout.strip()

    generate = [program, "generate", "hf:tests/tiny", "--prompt", "It is a", "--max-tokens", "4"]
    if fetcher == "program":
        run(*generate)
        (place,) = (home / "hub" / "models--tests--tiny" / "snapshots").iterdir()
        return run(sys.executable, "-c", CHECK, place, HF_HUB_OFFLINE="1")
    run(sys.executable, "-c", FETCH)
    return run(*generate, "--offline")


def main():
    program, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(TINY, work / "models/tests/tiny")
    server = serve(work / "models")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed = False
    for fetcher in ["program", "huggingface_hub"]:
        try:
            print("ok  ", f"fetched by {fetcher}:", fetched_by(fetcher, program, server.url, work / fetcher))
        except RuntimeError as error:
            failed = True
            print("FAIL", f"fetched by {fetcher}:", error)
    sys.exit(failed)


if __name__ == "__main__":
    main()
