"""What the program leaves in the Hub's cache, as huggingface_hub and transformers find it."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from stand_in_hub import serve  # noqa: E402

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
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("tests/tiny", local_files_only=True)
print(len(revision.files), "files,", sum(p.numel() for p in model.parameters()), "parameters")
"""
FETCH = """
from huggingface_hub import snapshot_download
print(snapshot_download("tests/tiny"))
"""


def check(program, tiny, work):
    """Both ways: what the program fetched, others find; what others fetched, the program does."""
    root = Path(work) / "hub"
    shutil.rmtree(root, ignore_errors=True)
    model = root / "models" / "tests" / "tiny"
    shutil.copytree(tiny, model)
    server = serve(root / "models")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lines = []
    for fetcher in ["program", "huggingface_hub"]:
        home = root / fetcher
        environment = {
            **os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

        def run(*words, **others):
            return subprocess.run(
                words, env={**environment, **others}, check=True, text=True,
                stdout=subprocess.PIPE).stdout

        if fetcher == "program":
            run(program, "generate", "hf:tests/tiny", "--prompt", "It is", "--max-tokens", "2")
            (place,) = (home / "hub" / "models--tests--tiny" / "snapshots").iterdir()
            lines.append(run(sys.executable, "-c", CHECK, str(place), HF_HUB_OFFLINE="1").strip())
        else:
            run(sys.executable, "-c", FETCH)
            out = run(
                program, "generate", "hf:tests/tiny", "--prompt", "It is", "--max-tokens", "2",
                "--offline")
            lines.append(f"and back: {out.strip()}")
    server.shutdown()
    return "; ".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        print(check(sys.argv[1], sys.argv[2], work))
