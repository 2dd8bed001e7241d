"""Golden logits for the Swift tests: Tests/Fixtures/logits/KIND.safetensors, from this reference.

The weights are not committed. Both this script and the tests let the program synthesise them from the
configurations in Tests/Fixtures/configs (seed 1, float32), so only tokens, logits and the last residual stream
are stored. Run it again, after a change of the synthesis, with the built program:

    .venv/bin/python make_logits_fixtures.py --program ../../.build/release/spikingbrain --work /tmp/logits
"""
import argparse
import shutil
import subprocess
from pathlib import Path

import torch

import source_logits
from checkpoint_io import load_source, write_tensors
from spikingbrain_reference import SpikingBrain

TESTS = Path(__file__).resolve().parent.parent
TOKENS = 24

# Source checkpoints, run by transformers: configuration names.
SOURCES = ["qwen2", "qwen2-tied", "qwen2-windowed", "qwen3", "mistral", "llama-bias", "llama-rope-linear",
           "llama-rope-llama3"]
# Synthesised in a converted layout, so that the gates are random too.
SYNTHETIC = ["gla_swa", "spikingbrain", "experts", "carved", "intra-layer"]
# Conversions: name -> (source, options of `convert`).
CONVERTED = {
    "converted-qwen2": ("qwen2", ["--window", "6"]),
    "converted-mistral-flash": ("mistral", ["--window", "6", "--window-rule", "flash", "--gate-bias", "1.5"]),
    "converted-qwen3": ("qwen3", ["--window", "6", "--attention-layers", "0", "--full-attention-layers", "2"]),
    "converted-llama3": ("llama-rope-llama3", ["--window", "6"]),
}


def pseudo_random_tokens(count, vocabulary):
    """Tokens that any language can make again; they are stored all the same."""
    return [(7919 * n + 104729 * n * n + 17) % vocabulary for n in range(1, count + 1)]


def save(output, name, tokens, result, rows):
    """The last `rows` rows of the logits, and the residual stream after the last layer."""
    last = max(int(key.split(".")[1]) for key in result if key.startswith("hidden."))
    write_tensors(output / f"{name}.safetensors", {
        "tokens": torch.tensor(tokens, dtype=torch.int32),
        "logits": result["logits"][-rows:].float(),
        "hidden": result[f"hidden.{last}"].float(),
    })
    print(name, f"largest logit {result['logits'].abs().max():.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--only", nargs="*", help="names of SYNTHETIC to make again, and nothing else")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    output = TESTS / "Fixtures/logits"
    torch.set_num_threads(2)

    def program(*arguments):
        subprocess.run([options.program, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)

    def synthesize(name):
        directory = options.work / name
        if not directory.exists():
            config = TESTS / f"Fixtures/configs/{name}.json"
            program("synthesize", config, directory, "--seed", 1, "--dtype", "float32")
        return directory

    tokens = pseudo_random_tokens(TOKENS, 320)
    if options.only:
        for name in options.only:
            save(output, name, tokens, SpikingBrain(synthesize(name)).run(tokens), TOKENS)
        return
    for name in SOURCES:
        save(output, name, tokens, source_logits.run(load_source(synthesize(name)), tokens), TOKENS)
    for name in SYNTHETIC:
        save(output, name, tokens, SpikingBrain(synthesize(name)).run(tokens), TOKENS)
    for name, (source, settings) in CONVERTED.items():
        program("convert", synthesize(source), options.work / name, *settings)
        save(output, name, tokens, SpikingBrain(options.work / name).run(tokens), TOKENS)

    demo = TESTS.parent / "demo/tiny-qwen2"
    tokens = pseudo_random_tokens(48, 2048)
    save(output, "tiny-qwen2", tokens, source_logits.run(load_source(demo), tokens), 3)


if __name__ == "__main__":
    main()
