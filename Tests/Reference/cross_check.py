"""Drive the built program through its command line and compare it with this reference, one line per check.

Groups: every kind of make_random.py, `gguf` (the same kinds as GGUF files of several block types), `yarn` (GGUF
files with YaRN against transformers), `tiny` (needs --tiny and --text), `smollm2` (needs --smollm2 and --text),
`transformers` and `lm_eval` (exports/check_transformers.py, exports/check_lm_eval.py; with --smollm2 that model too),
`adapters` (exports/check_adapters.py), `serve` (serve/check_serve.py), `training` (exports trained by their own files;
needs --tiny).
"""
import argparse
import json
import re
import shlex
import shutil
import struct
import subprocess
import sys
import traceback
from pathlib import Path

import torch
from safetensors.torch import load_file

import convert_reference
import make_gguf
import make_random
import source_logits
from checkpoint_io import TensorFiles, load_source, read_config, write_tensors
from compare import difference
from perplexity import encode, load_tokenizer, perplexity, read_text
from spikingbrain_reference import SpikingBrain

TOLERANCE = 1e-4
PROMPT = "The capital of France is"
SAMPLES = ["Hello, world!", PROMPT, "  12 and 3.14\n\n\tx  =  y1\r\n", "I'll say we're DON'T", " trailing  ",
           "na\u00efve caf\u00e9 \u2014 \u201cquotes\u201d \u65e5\u672c\u8a9e \U0001f642 e\u0301",
           "2024-01-31   99 bottles"]

# kind: how the source is written, then the options of its conversion (empty: the defaults of `variant`).
VARIANTS = {
    "qwen2": (dict(sharded=True), {}),
    "qwen2-tied": (dict(dtype="bfloat16"), dict(attention="0,2")),
    "qwen3": (dict(sharded=True), dict(full=[3])),
    "mistral": (dict(dtype="float16", old_config=True), {}),
    "llama": (dict(), dict(gate_bias=1.5)),
    "llama-bias": (dict(old_config=True), dict(attention="0,3")),
    "llama-rope-llama3": (dict(old_config=True), {}),
    "llama-rope-linear": (dict(), dict(attention="0,1,2")),
    "llama-mha": (dict(sharded=True, old_config=True), dict(full=[0])),
}

# kind: block type of its matrices in the `gguf` group.
GGUF_TYPES = {"llama": "Q4_0", "llama-mha": "Q4_1", "llama-bias": "Q8_0", "llama-rope-llama3": "F32", "mistral": "F16",
              "qwen2": "Q5_0", "qwen2-tied": "BF16", "qwen3": "Q5_1"}


class Checks:
    """Prints and counts results."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def record(self, name, ok, value):
        print("ok  " if ok else "FAIL", name, value, flush=True)
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)

    def small(self, name, value, limit=TOLERANCE):
        self.record(name, value <= limit, f"{value:.3g}")

    def guarded(self, name, action, *arguments):
        """Run a step; anything it raises is a failure of the check `name`, and the rest goes on."""
        try:
            return action(*arguments)
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            self.record(name, False, f"{type(error).__name__}: {error}".splitlines()[0])
            return None


class Program:
    """The program under test; `command` may hold arguments (an interpreter and a script)."""

    def __init__(self, command, timeout):
        self.command, self.timeout = shlex.split(command), timeout

    def run(self, *arguments, stdin="", code=0):
        """Standard output; raises when the exit code is not the expected one."""
        done = self.attempt(*arguments, stdin=stdin)
        if done.returncode != code:
            message = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"{arguments[0]} exit {done.returncode}, expected {code}: {' '.join(message[-1:])}")
        return done.stdout.decode()

    def attempt(self, *arguments, stdin=""):
        return subprocess.run(self.command + [str(a) for a in arguments], input=stdin.encode(),
                              capture_output=True, timeout=self.timeout)

    def logits(self, checkpoint, tokens, output, stepwise=False):
        """The tensors that `logits --layers` writes."""
        Path(output).unlink(missing_ok=True)
        self.run("logits", checkpoint, "--tokens", ",".join(map(str, tokens)), "--layers",
                 *(["--stepwise"] if stepwise else []), "--output", output)
        return load_file(str(output))

    def convert(self, source, output, attention="odd", window=6, rule="report", full=(), gate_bias=0.0, dtype="keep"):
        shutil.rmtree(output, ignore_errors=True)
        self.run("convert", source, output, "--attention-layers", attention, "--window", window,
                 "--window-rule", rule, "--gate-bias", gate_bias, "--dtype", dtype,
                 *(["--full-attention-layers", ",".join(map(str, full))] if full else []))


# Comparisons ------------------------------------------------------------------------------------------------------

def compare_run(checks, name, expected, got, limit=TOLERANCE):
    """Logits and every hidden state; the value printed is the worst relative difference.

    With a limit above TOLERANCE (see `noise`) the median over the tokens must still be within TOLERANCE.
    """
    missing = set(expected) - set(got)
    if missing:
        return checks.record(name, False, f"missing {sorted(missing)}")
    worst = max(expected, key=lambda key: difference(expected[key], got[key].float()))
    value = difference(expected[worst], got[worst].float())
    if limit <= TOLERANCE or value <= TOLERANCE:
        return checks.record(name, value <= TOLERANCE, f"{value:.3g} ({worst})")
    rows = (expected["logits"] - got["logits"]).abs().amax(1) / expected["logits"].abs().max()
    median = rows.median().item()
    checks.record(name, value <= limit and median <= TOLERANCE,
                  f"{value:.3g} ({worst}) limit {limit:.3g} median {median:.3g}")


def noise(exact, *runs):
    """How far correct float32 runs are from float64: what summation order alone does to this model."""
    return max(difference(exact[key], run[key]) for run in runs for key in exact)


def compare_runs(checks, name, program, checkpoint, tokens, expected, work, limit=TOLERANCE):
    """Prefill and stepwise against the same expectation."""
    for label, stepwise in (("prefill", False), ("stepwise", True)):
        got = checks.guarded(
            f"{name}/{label}", program.logits, checkpoint, tokens, work / "program.safetensors", stepwise)
        if got is not None:
            compare_run(checks, f"{name}/{label}", expected, got, limit)


def compare_checkpoint(checks, name, directory, config, tensors):
    """A directory the program wrote against the reference conversion: names, shapes, types, values, config."""
    files = TensorFiles(directory)
    found = set(files)
    if found != set(tensors):
        missing, unexpected = sorted(set(tensors) - found), sorted(found - set(tensors))
        return checks.record(f"{name}/tensors", False, f"missing {missing[:4]} unexpected {unexpected[:4]}")
    bad = []
    for key, wanted in tensors.items():
        got = files.take(key)
        if key.endswith("gk_proj.0.weight"):  # ours to choose: only its shape is determined
            same = got.shape == wanted.shape and got.isfinite().all() and got.any()
        else:
            same = got.shape == wanted.shape and torch.equal(got.float(), wanted.float())
            same = same and (got.dtype == wanted.dtype or "gk_proj" in key or "g_norm" in key or key.endswith("bias"))
        if not same:
            bad.append(key)
    checks.record(f"{name}/tensors", not bad, f"{len(tensors)} equal" if not bad else f"differ: {bad[:4]}")
    written = read_config(directory)
    ignored = {"torch_dtype", "max_position_embeddings", "pad_token_id", "bos_token_id", "eos_token_id", "attn_layers",
               "fuse_cross_entropy", "use_cache", "hidden_act", "attention_dropout"}
    wrong = {key: (value, written.get(key, "absent")) for key, value in config.items()
             if key not in ignored and not same_setting(value, written.get(key))}
    if config["model_type"] == "gla_swa" and written.get("attn_layers") != config["attn_layers"]:
        wrong["attn_layers"] = (config["attn_layers"], written.get("attn_layers"))
    checks.record(f"{name}/config", not wrong, config["model_type"] if not wrong else f"expected, got: {wrong}")


def same_setting(a, b):
    """Equality of config values, with floats to six digits (f32 and decimal spellings of an epsilon)."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(same_setting(value, b.get(key)) for key, value in a.items())
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool):
        return abs(a - b) <= 1e-6 * abs(a)
    return a == b


def compare_perplexity(checks, name, program, checkpoint, text_file, context, count, expected):
    """Within 0.1 %."""
    output = checks.guarded(name, program.run, "evaluate", checkpoint, "--text", text_file, "--context", context,
                            "--tokens", count, "--json")
    if output is not None:
        got = json.loads(output)
        off = abs(got["perplexity"] / expected["perplexity"] - 1)
        checks.record(name, off <= 1e-3 and got["tokens"] in (expected["tokens"], expected["scored"]),
                      f"{got['perplexity']:.6g} expected {expected['perplexity']:.6g} tokens {got['tokens']}")


def compare_verify(checks, name, program, source, directory, work):
    """A good checkpoint passes; one changed byte is found and its tensor named."""
    good = program.attempt("verify", directory, "--source", source)
    checks.record(f"{name}/verify", good.returncode == 0, f"exit {good.returncode}")
    damaged, victim = work / "damaged", "model.layers.1.mlp.up_proj.weight"
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(directory, damaged)
    damage(damaged, victim)
    bad = program.attempt("verify", damaged, "--source", source)
    named = victim in (bad.stdout + bad.stderr).decode(errors="replace")
    checks.record(f"{name}/verify-damaged", bad.returncode == 1 and named,
                  f"exit {bad.returncode} tensor named: {named}")
    shutil.rmtree(damaged)


def damage(directory, victim):
    """Flip one mantissa bit in the middle of a tensor, in place."""
    for path in sorted(Path(directory).glob("*.safetensors")):
        data = bytearray(path.read_bytes())
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        if victim in header:
            begin, end = header[victim]["data_offsets"]
            data[8 + size + (begin + end) // 8 * 4] ^= 0x10
            path.write_bytes(data)
            return
    raise AssertionError(f"{victim} not found")


def randomise(config, tensors, seed, merged=False):
    """Gates and head norms as training would leave them: a fresh conversion never exercises the gate matrices."""
    random = torch.Generator().manual_seed(seed)
    out = dict(tensors)
    for name in [n for n in tensors if "gk_proj" in n or "g_norm" in n]:
        noise = torch.randn(tensors[name].shape, generator=random)
        out[name] = (1 + 0.3 * noise if "g_norm" in name else 2 * noise if name.endswith("bias")
                     else noise * noise.shape[-1] ** -0.5 * 4).to(tensors[name].dtype)
    if merged:
        for name in [n for n in out if n.endswith("gk_proj.1.weight")]:
            stem = name.removesuffix(".1.weight")
            out[stem + ".weight"] = out.pop(name) @ out.pop(stem + ".0.weight")
            out[stem + ".bias"] = out.pop(stem + ".1.bias")
    return out


# Groups -----------------------------------------------------------------------------------------------------------

def check_kind(checks, program, kind, work):
    """One random source model: run it, convert it, run what was converted."""
    work = work / kind
    shutil.rmtree(work, ignore_errors=True)
    written, options = VARIANTS[kind]
    source = work / "source"
    make_random.make(kind, source, seed=7, **written)
    vocabulary = read_config(source)["vocab_size"]
    tokens = torch.randint(0, vocabulary, (24,), generator=torch.Generator().manual_seed(1)).tolist()
    model = load_source(source)
    compare_runs(checks, f"{kind}/source", program, source, tokens, source_logits.run(model, tokens), work)

    for rule in ("report", "flash"):
        name, out = f"{kind}/converted-{rule}", work / rule
        wanted = convert_reference.convert(
            *convert_reference.read_source(source), window=6, rule=rule, **options)
        if checks.guarded(f"{name}/convert", lambda: program.convert(source, out, rule=rule, **options) or True):
            checks.guarded(f"{name}/tensors", compare_checkpoint, checks, name, out, *wanted)
            expected = checks.guarded(f"{name}/load", lambda: SpikingBrain(out).run(tokens))
            if expected is not None:
                compare_runs(checks, name, program, out, tokens, expected, work)
                same = SpikingBrain(out, all_window=True).run(tokens[:6])["logits"]
                checks.small(f"{name}/equals-source-when-softmax",
                             difference(source_logits.run(model, tokens[:6])["logits"], same), 1e-5)
            if rule == "report":
                checks.guarded(f"{name}/verify", compare_verify, checks, name, program, source, out, work)

    every = ",".join(map(str, range(len(model.model.layers))))  # all layers softmax: the program against the source
    out = work / "all-softmax"
    if checks.guarded(f"{kind}/all-softmax/convert", lambda: program.convert(source, out, attention=every) or True):
        expected = source_logits.run(model, tokens[:6])
        compare_runs(checks, f"{kind}/all-softmax", program, out, tokens[:6], expected, work)

    config, tensors = wanted
    for merged in (False, True):
        name, out = f"{kind}/random-gates{'-merged' if merged else ''}", work / f"gates{merged:d}"
        convert_reference.write(out, config, randomise(config, {k: t.float() for k, t in tensors.items()}, 3, merged))
        compare_runs(checks, name, program, out, tokens, SpikingBrain(out).run(tokens), work)


def check_gguf(checks, program, work):
    """GGUF sources: permuted rows, rope_freqs, biases, head_dim, block types. T is within Mistral's window."""
    shutil.rmtree(work / "gguf", ignore_errors=True)
    for kind, block in GGUF_TYPES.items():
        name, folder = f"gguf/{kind}-{block}", work / "gguf" / kind
        make_random.make(kind, folder / "source", seed=7)
        path = folder / "model.gguf"
        make_gguf.make(folder / "source", path, block)
        config, tensors = convert_reference.convert(*convert_reference.read_source(path), window=64)
        convert_reference.write(folder / "reference", config, tensors)
        tokens = torch.randint(0, config["vocab_size"], (8,), generator=torch.Generator().manual_seed(1)).tolist()
        expected = SpikingBrain(folder / "reference", all_window=True).run(tokens)
        compare_runs(checks, f"{name}/source", program, path, tokens, expected, folder)
        out = folder / "converted"
        if checks.guarded(f"{name}/convert", lambda: program.convert(path, out, window=64, dtype="float32") or True):
            checks.guarded(f"{name}/tensors", compare_checkpoint, checks, name, out, config, tensors)


# model: what its YaRN says besides the factor and the length.
YARN = {"llama": {}, "qwen2": {"beta_fast": 2.0, "beta_slow": 0.1}, "qwen3": {"mscale": 1.0, "mscale_all_dim": 0.5}}


def check_gguf_yarn(checks, program, work):
    """GGUF files with YaRN against `transformers` on the directories that they were made from."""
    from transformers import AutoConfig, AutoModelForCausalLM
    for kind, more in YARN.items():
        folder = work / "gguf" / f"{kind}-yarn"
        scaling = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 32}
        config = AutoConfig.for_model(
            kind, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, head_dim=16,
            num_key_value_heads=2, vocab_size=320, max_position_embeddings=128, rope_parameters=scaling | more,
            tie_word_embeddings=False)
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(4.0) if parameter.dim() == 2 else parameter.uniform_(0.5, 1.5)
        model.save_pretrained(folder / "source")
        make_gguf.make(folder / "source", folder / "model.gguf")
        tokens = torch.randint(0, 320, (96,), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = {"logits": model(tokens[None]).logits[0]}
        compare_runs(checks, f"gguf/{kind}-yarn", program, folder / "model.gguf", tokens.tolist(), expected, folder, 1e-4)


def check_training(checks, options):
    """Exports trained by the files they bring, one line per model and number of ranks."""
    script = Path(__file__).with_name("exports") / "check_megatron_training.py"
    done = subprocess.run(
        [sys.executable, script, options.program, options.work / "training", options.tiny], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        checks.record(f"training/{line.removeprefix('ok ')}", True, "")
    if done.returncode:
        checks.record("training", False, done.stderr.strip().splitlines()[-1])


class Cache:
    """Results worth keeping between runs, one safetensors file each."""

    def __init__(self, directory, checkpoint):
        stamp = Path(checkpoint).stat()
        self.stem = Path(directory) / "cache" / f"{Path(checkpoint).stem}-{stamp.st_size}-{int(stamp.st_mtime)}"

    def get(self, name, compute):
        path = self.stem.with_name(f"{self.stem.name}-{name}.safetensors")
        if not path.exists():
            write_tensors(path, {key: torch.as_tensor(value) for key, value in compute().items()})
        return load_file(str(path))


def check_model(checks, program, name, checkpoint, text_file, work, tail, context, count, converted_dtype):
    """A real model with its tokenizer: tokenise, run, generate, evaluate, convert; then what was converted."""
    work = work / name
    work.mkdir(parents=True, exist_ok=True)
    tokenizer, before = load_tokenizer(checkpoint)
    text = read_text(text_file, tail)
    cut = work / "text.txt"
    cut.write_bytes(text.encode())
    for number, sample in enumerate([*SAMPLES, text[:20000]]):
        label = f"{name}/tokenize-{number}"
        got = checks.guarded(label, lambda: json.loads(program.run("tokenize", checkpoint, stdin=sample)))
        if got is not None:
            wanted = tokenizer.encode(sample, add_special_tokens=False).ids
            checks.record(label, got in (wanted, before + wanted), f"{len(got)} ids")

    ids = encode(checkpoint, text)[:count]
    prompt = encode(checkpoint, PROMPT)
    tokens = ids[:48]
    cache = Cache(work, checkpoint if Path(checkpoint).is_file() else Path(checkpoint) / "model.safetensors")
    loaded = []

    def model():
        if not loaded:
            loaded.append(load_source(checkpoint))
        return loaded[0]

    def source_perplexity():
        def logits_of(part):
            return model()(input_ids=torch.tensor([part]), use_cache=False).logits[0]
        return perplexity(logits_of, ids, context)

    expected = cache.get("logits", lambda: source_logits.run(model(), tokens))
    compare_runs(checks, f"{name}/source", program, checkpoint, tokens, expected, work)
    following = cache.get("greedy", lambda: {"ids": source_logits.greedy(model(), prompt, 32)})["ids"].tolist()
    check_greedy(checks, name, program, checkpoint, tokenizer, prompt, following, work)
    wanted = {key: value.item() for key, value in cache.get(f"perplexity-{context}-{count}", source_perplexity).items()}
    compare_perplexity(checks, f"{name}/source/perplexity", program, checkpoint, cut, context, count, wanted)

    for rule in ("report", "flash"):
        label, out = f"{name}/converted-{rule}", work / rule
        if not checks.guarded(f"{label}/convert", lambda: program.convert(
                checkpoint, out, window=16, rule=rule, dtype=converted_dtype) or True):
            continue
        if rule == "report":
            wanted = convert_reference.convert(*convert_reference.read_source(checkpoint), window=16)
            checks.guarded(f"{label}/tensors", compare_checkpoint, checks, label, out, *wanted)
        converted = checks.guarded(f"{label}/load", SpikingBrain, out)
        if converted is None:
            continue
        exact = SpikingBrain(out, torch.float64).run(tokens)
        limit = max(TOLERANCE, 4 * noise(exact, converted.run(tokens), converted.run_stepwise(tokens)))
        compare_runs(checks, label, program, out, tokens, exact, work, limit)
        if rule == "report":
            few = min(count, 2048)
            wanted = perplexity(lambda part: converted.run(part)["logits"], ids[:few], 256)
            compare_perplexity(checks, f"{label}/perplexity", program, out, cut, 256, few, wanted)
            checks.guarded(f"{label}/verify", compare_verify, checks, label, program, checkpoint, out, work)
        del converted
        shutil.rmtree(out, ignore_errors=True)


def check_greedy(checks, name, program, checkpoint, tokenizer, prompt, following, work):
    """Argmax at every position of prompt + continuation, then the text of `generate` up to an end token."""
    got = checks.guarded(
        f"{name}/greedy", program.logits, checkpoint, prompt + following[:-1], work / "program.safetensors")
    if got is not None:
        ids = got["logits"][len(prompt) - 1:].argmax(-1).tolist()
        equal = sum(a == b for a, b in zip(ids, following))
        checks.record(f"{name}/greedy", ids == following, f"{equal} of {len(following)}")
    text = tokenizer.decode(following, skip_special_tokens=False)
    text = re.split(r"<\|(?:im_end|endoftext)\|>", text)[0].strip()
    output = checks.guarded(f"{name}/generate", program.run, "generate", checkpoint, "--prompt", PROMPT,
                            "--max-tokens", len(following), "--temperature", 0, "--quiet")
    if output is not None:
        checks.record(f"{name}/generate", text in output, repr(output.strip()[-60:]))


def check_script(checks, options, group, folder="exports", takes_smollm2=False):
    """FOLDER/check_GROUP.py, line by line, in a process of its own: what it sets for itself stays there."""
    script = Path(__file__).resolve().parent / folder / f"check_{group}.py"
    command = [sys.executable, script, shlex.split(options.program)[0], options.work / group]
    command += ["--smollm2", options.smollm2] if options.smollm2 and takes_smollm2 else []
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    found = re.findall(r"^(ok  |FAIL) (.*)$", done.stdout, re.MULTILINE)
    for result, line in found:
        checks.record(f"{group}/{line}", result == "ok  ", "")
    if not found or done.returncode and all(result == "ok  " for result, _ in found):
        raise RuntimeError(f"{script.name}: " + "".join(done.stderr.strip().splitlines()[-1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built program (a command line is accepted)")
    parser.add_argument("--work", required=True, type=Path, help="scratch directory; keeps a cache")
    parser.add_argument("--smollm2", help="SmolLM2 GGUF file")
    parser.add_argument("--tiny", help="tiny-qwen2 directory")
    parser.add_argument("--text", help="evaluation text (Pride and Prejudice)")
    parser.add_argument("--only", default="", help="comma-separated group names")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for one run of the program")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    checks, program = Checks(), Program(options.program, options.timeout)

    groups = {kind: (check_kind, checks, program, kind, options.work) for kind in make_random.KINDS}
    groups["gguf"] = (check_gguf, checks, program, options.work)
    groups["yarn"] = (check_gguf_yarn, checks, program, options.work)
    if options.tiny:
        groups["training"] = (check_training, checks, options)
    if options.tiny and options.text:
        groups["tiny"] = (check_model, checks, program, "tiny", options.tiny, options.text, options.work,
                          0.05, 512, 8192, "keep")
    if options.smollm2 and options.text:
        groups["smollm2"] = (check_model, checks, program, "smollm2", options.smollm2, options.text, options.work,
                             None, 1024, 8192, "float32")
    for group in ("transformers", "lm_eval"):
        groups[group] = (check_script, checks, options, group, "exports", True)
    groups["adapters"] = (check_script, checks, options, "adapters")
    groups["serve"] = (check_script, checks, options, "serve", "serve")
    groups["hub"] = (check_script, checks, options, "hub", "hub")
    only = [name for name in options.only.split(",") if name]
    unknown = set(only) - set(groups)
    if unknown:
        parser.error(f"unknown or unavailable groups: {sorted(unknown)}")
    for name, (action, *arguments) in groups.items():
        if not only or name in only:
            checks.guarded(name, action, *arguments)
    print(f"{checks.passed} ok, {len(checks.failed)} failed" + "".join(f"\n  {name}" for name in checks.failed))
    sys.exit(1 if checks.failed or not checks.passed else 0)


if __name__ == "__main__":
    main()
