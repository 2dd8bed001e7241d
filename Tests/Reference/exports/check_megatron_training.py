"""Exports of the profile megatron-dist trained by their own files (training/) with megatron-core, on a CPU.

    check_megatron_training.py PROGRAM WORK TINY [--only CASES]

For every case and topology: the export loads strictly, the first loss is the mean NLL that the program finds for the same
tokens (1e-4), every step of every topology has the loss of one process (1e-3), and what was saved comes back: `inspect`,
`verify`, `export --profile hf`, `verify` again. An interrupted run goes on to the same losses, in bfloat16 the first loss
is within 2 %. Then the Trainer of transformers on an export of the profile hf: the loss falls, an interrupted run ends
with the same bytes, `verify` passes.

Cases: `gates` (7B layout with random gates), `experts` (parallel branches, sinks, experts), `ones` (experts weighted by 1),
`qwen3` and `llama3` (q/k norms, full attention, rotary scaling), `trainer`. Exit 1 on a difference.
"""
import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import make_random  # noqa: E402

LENGTH, STEPS = 128, 10
CASES = {  # case: topologies as (tp, pp, ep)
    "gates": [(1, 1, 1), (2, 1, 1), (1, 2, 1)],
    "experts": [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)],
    "ones": [(1, 1, 1)],
    "qwen3": [(2, 1, 1)],
    "llama3": [(1, 1, 1)],
}


class Check:
    def __init__(self, program, work, tiny):
        self.program, self.work, self.tiny = program, work, tiny
        self.text = tiny.parent / "war-and-peace-begin.txt"

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def python(self, processes, script, *arguments):
        command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", processes]
        if processes == 0:
            command = [sys.executable, "-W", "ignore"]
        done = subprocess.run([*map(str, command), str(script), *map(str, arguments)], capture_output=True, text=True,
                              env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=3600)
        assert done.returncode == 0, f"{script} {arguments}: {done.stdout}{done.stderr[-4000:]}"
        return done.stdout

    # Models -------------------------------------------------------------------------------------------------------

    def converted(self, case):
        out, first = self.work / case / "model", self.work / case / "dense"
        shutil.rmtree(self.work / case, ignore_errors=True)
        (self.work / case).mkdir(parents=True)
        common = ("--dtype", "float32", "--quiet")
        if case in ("gates", "trainer"):
            self.run("convert", self.tiny, out, "--window", 64, *common)
            self.edit(out, {})
        elif case == "experts":
            self.run("convert", self.tiny, first, "--layout", "intra-layer", "--full-attention-layers", "3,7",
                     "--window", 32, "--sinks", 4, "--branch-scale", "0.4,0.8", "--branch-norm-eps", 1e-6, *common)
            self.run("upcycle", first, out, "--experts", 4, "--top-k", 2, "--dense-layers", "0,2,5",
                     "--router", "random:0.5", "--tolerance", 1000, *common)
        elif case == "ones":
            self.run("convert", self.tiny, first, "--window", 64, *common)
            self.run("upcycle", first, out, "--experts", 4, "--dense-layers", "none", "--router", "random:0.5",
                     "--tolerance", 1000, *common)
            self.edit(out, {"routing_weights": "one"})
        else:
            make_random.make({"qwen3": "qwen3", "llama3": "llama-rope-llama3"}[case], first, seed=7)
            self.run("convert", first, out, "--window", 16, "--full-attention-layers", 3, *common)
            self.edit(out, {})
        return out

    @staticmethod
    def edit(directory, keys):
        """Gates as training would leave them, and other settings."""
        config, random = json.loads((directory / "config.json").read_text()), torch.Generator().manual_seed(3)
        (directory / "config.json").write_text(json.dumps(config | keys))
        tensors = load_file(directory / "model.safetensors")
        for name, value in tensors.items():
            if "gk_proj.1" in name or "g_norm" in name:
                tensors[name] = value + torch.randn(value.shape, generator=random) * (2 if name.endswith("bias") else 0.3)
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        (directory / "manifest.json").unlink()

    def tokens(self, model, path):
        """Token ids in a file, and the mean NLL of the first two samples: by `evaluate` where there is a tokenizer."""
        ids, known = None, {}
        if (model / "tokenizer.json").exists():
            text = path.with_suffix(".txt")
            text.write_text(self.text.read_text()[:60000])
            ids = json.loads(subprocess.run([self.program, "tokenize", model], input=text.read_text(),
                                            capture_output=True, text=True, check=True).stdout)
            found = json.loads(self.run("evaluate", model, "--text", text, "--context", LENGTH + 1, "--tokens",
                                        LENGTH + 1, "--json", "--quiet"))
            known[0] = math.log(found["perplexity"])
        else:
            # Of few tokens, so that there is something to learn: which they are.
            ids = torch.randint(0, 16, (4000,), generator=torch.Generator().manual_seed(1)).tolist()
        for number in {0, 1} - set(known):
            start, file = number * LENGTH, path.with_name(f"logits-{number}.safetensors")
            self.run("logits", model, "--tokens", ",".join(map(str, ids[start:start + LENGTH])), "--output", file)
            known[number] = torch.nn.functional.cross_entropy(
                load_file(file)["logits"].double(), torch.tensor(ids[start + 1:start + LENGTH + 1])).item()
        numpy.save(path, numpy.array(ids, dtype=numpy.uint32))
        return (known[0] + known[1]) / 2

    # Training -----------------------------------------------------------------------------------------------------

    def train(self, export, data, save, topology, *more):
        tp, pp, ep = topology
        output = self.python(
            tp * pp * ep, export / "training/pretrain_spikingbrain.py", "--checkpoint", export, "--save", save,
            "--data", data, "--in-order", "--seq-length", LENGTH, "--global-batch", 2, "--steps", STEPS, "--lr", 1e-4,
            "--device", "cpu", "--tp", tp, "--pp", pp, "--ep", ep, *more)
        return [float(line.split()[3]) for line in output.splitlines() if line.startswith("step ")]

    def comes_back(self, save):
        self.run("inspect", save)
        self.run("verify", save)
        back = save.with_name(save.name + "-hf")
        self.run("export", save, back, "--profile", "hf", "--force", "--quiet")
        self.run("verify", back)

    def megatron(self, case):
        model, work = self.converted(case), self.work / case
        expected = self.tokens(model, work / "tokens.npy")
        alone = None
        for topology in CASES[case]:
            name = "tp{}-pp{}-ep{}".format(*topology)
            export, save = work / f"export-{name}", work / f"save-{name}"
            self.run("export", model, export, "--profile", "megatron-dist", "--quiet",
                     *(x for pair in zip(("--tp", "--pp", "--ep"), topology) for x in pair))
            losses = self.train(export, work / "tokens.npy", save, topology, "--float32")
            assert abs(losses[0] - expected) < 1e-4, (case, name, losses, expected)
            assert len(losses) == STEPS and sum(losses[-3:]) < 3 * losses[0], (case, name, losses)
            alone = alone or losses
            worst = max(abs(a - b) for a, b in zip(losses, alone))
            assert worst < 1e-3, (case, name, worst, losses, alone)
            self.comes_back(save)
            self.run("verify", export)
            print(f"ok {case} {name}: first loss {losses[0]:.6f} (program {expected:.6f}), last "
                  f"{losses[-1]:.4f}, at most {worst:.1e} from one process", flush=True)
        if case == "gates":
            self.goes_on(work / "export-tp1-pp1-ep1", work, alone)

    def goes_on(self, export, work, alone):
        """A run that stopped after half of its steps, loaded again by another number of ranks; and bfloat16."""
        data, save = work / "tokens.npy", work / "again"
        self.train(export, data, save, (1, 1, 1), "--float32", "--save-every", STEPS // 2)
        (save / "latest_checkpointed_iteration.txt").write_text(str(STEPS // 2))
        for topology in ((1, 1, 1), (2, 1, 1)):
            (save / "latest_checkpointed_iteration.txt").write_text(str(STEPS // 2))
            losses = self.train(export, data, save, topology, "--float32")
            worst = max(abs(a - b) for a, b in zip(losses, alone[STEPS // 2:]))
            assert len(losses) == STEPS - STEPS // 2 and worst < 1e-3, (topology, losses, alone)
            print(f"ok gates goes on with {topology}: at most {worst:.1e} from the run without a stop", flush=True)
        losses = self.train(export, data, work / "half", (1, 1, 1), "--recompute")
        assert abs(losses[0] / alone[0] - 1) < 0.02 and sum(losses[-3:]) < 3 * losses[0], (losses, alone)
        self.comes_back(work / "half")
        print(f"ok gates bfloat16: {losses[0]:.4f} to {losses[-1]:.4f}", flush=True)

    def trainer(self):
        model, work = self.converted("trainer"), self.work / "trainer"
        export = work / "hf"
        self.run("export", model, export, "--profile", "hf", "--quiet")

        def train(output):
            self.python(0, export / "training/train_transformers.py", "--model", export, "--data", self.text, "--output",
                        output, "--length", 64, "--steps", 20, "--lr", 1e-3, "--log-every", 5, "--save-every", 10, "--cpu")

        train(work / "one")
        history = json.loads((work / "one/checkpoint-20/trainer_state.json").read_text())["log_history"]
        losses = [entry["loss"] for entry in history if "loss" in entry]
        assert losses[-1] < losses[0], losses
        shutil.copytree(work / "one", work / "two", ignore=shutil.ignore_patterns("checkpoint-20", "model"))
        train(work / "two")
        assert (work / "one/model/model.safetensors").read_bytes() == (work / "two/model/model.safetensors").read_bytes()
        self.run("verify", work / "one/model")
        self.run("verify", export)
        print(f"ok trainer: {losses[0]:.4f} to {losses[-1]:.4f}, the same bytes after a stop", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("work", type=Path)
    parser.add_argument("tiny", type=Path, help="demo/tiny-qwen2")
    parser.add_argument("--only", default=",".join([*CASES, "trainer"]))
    options = parser.parse_args()
    check = Check(options.program, options.work, options.tiny)
    for case in options.only.split(","):
        check.trainer() if case == "trainer" else check.megatron(case)


if __name__ == "__main__":
    main()
