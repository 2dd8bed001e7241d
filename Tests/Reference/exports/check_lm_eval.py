"""`evaluate --task` against lm-eval on the same task files, run on exports by `export --profile hf`; exit 1 on a difference.

    python check_lm_eval.py PROGRAM WORK [--smollm2 GGUF] [--limit N] [--lengths 512 1024 2048 4096]
    python check_lm_eval.py PROGRAM WORK --golden    writes Tests/Fixtures/tasks, lm-eval's figures of demo/tiny-qwen2

Models: demo/tiny-qwen2, its conversion healed for some seconds, and with --smollm2 that model and its conversion, not
healed. lm-eval runs in float32 on the CPU. Figures and standard errors must agree to 1e-4 (to 1e-3 the error of a
perplexity, which a few of the resamples decide: 9e-5 was seen). The texts that lm-eval generates become the answers of a
task of their own, every second one spoilt: it must not match, the others must.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("program")
parser.add_argument("work", type=Path)
parser.add_argument("--smollm2", help="SmolLM2 GGUF file")
parser.add_argument("--limit", type=int, default=24, help="questions per task and model; of generations a third")
parser.add_argument("--lengths", type=int, nargs="*", default=[512, 1024])
parser.add_argument("--golden", action="store_true", help="write the fixtures of the Swift tests instead")
parser.add_argument("--only", nargs="*", help="names of models")
options = parser.parse_args()
work = options.work.resolve()
work.mkdir(parents=True, exist_ok=True)
os.environ.update(HF_HOME=str(work / "cache"), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TQDM_DISABLE="1",
                  LMEVAL_LOG_LEVEL="ERROR", DISABLE_MULTIPROC="1", TOKENIZERS_PARALLELISM="false")
program = str(Path(options.program).resolve())
os.chdir(ROOT)  # where the paths in the task files start

import lm_eval  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)  # of small models, more would wait for each other
failed = []


def check(name, ok, value=""):
    print("ok  " if ok else "FAIL", name, value, flush=True)
    if not ok:
        failed.append(name)


def run(*arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def own(model, files, limit, max_length):
    arguments = ["--task", *files, "--json", "--quiet"]
    arguments += ["--limit", limit] if limit else []
    return json.loads(run("evaluate", model, *arguments, *(["--max-length", max_length] if max_length else [])))


def theirs(harness, files, limit):
    manager = TaskManager(include_path=sorted({str(Path(file).parent) for file in files}), include_defaults=False)
    return lm_eval.simple_evaluate(model=harness, tasks=[Path(file).stem for file in files], task_manager=manager,
                                   limit=limit, verbosity="ERROR")


def compare(name, expected, found):
    """Every figure and standard error of lm-eval's, and the number of questions."""
    for task, figures in expected["results"].items():
        same = found["n-samples"][task] == expected["n-samples"][task]
        check(f"{name}/{task}/questions", same, str(found["n-samples"][task]))
        for key, value in figures.items():
            if "," not in key:
                continue
            own_value = found["results"][task].get(key)
            if isinstance(value, str) or own_value is None:
                check(f"{name}/{task}/{key}", own_value == value, str(own_value))
                continue
            limit = 1e-3 if key.startswith("perplexity_stderr") else 1e-4
            ok = abs(own_value - value) <= limit * max(1, abs(value))
            check(f"{name}/{task}/{key}", ok, f"{own_value:.6g} expected {value:.6g}")


EDGES = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {output}
doc_to_text: text
doc_to_target: {target}
target_delimiter: ""
{more}"""


def edges():
    """Contexts that end in spaces or break words, empty ones, beginnings written out, other scripts."""
    texts = [("It is a truth  ", ["universally", " universally", "\n"]), ("", ["Mr. Bennet", "<|endoftext|>of", " of"]),
             ("<|endoftext|>It is", [" a", "nt", " acknowledged"]), ("caf", ["\u00e9 \u2014 na\u00efve", "etera", "\u65e5\u672c"]),
             ("\u65e5\u672c\u8a9e ", ["\U0001f642", "text", "\u8a9e"]), ("a\n\n", ["b", " b", "\tb"]),
             ("one two three four five six seven eight nine ten " * 12, ["eleven twelve", "one", "ten"])]
    data = work / "edges.jsonl"
    data.write_text("".join(json.dumps({"text": text, "choices": choices,
                                        "label": number % 3, "word": choices[number % 3]}) + "\n"
                            for number, (text, choices) in enumerate(texts)))
    files = []
    for name, output, target, more in (("edge-choice", "multiple_choice", "label", "doc_to_choice: choices\n"),
                                       ("edge-likelihood", "loglikelihood", "word", "")):
        file = work / "edges" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(EDGES.format(name=name, data=data, output=output, target=target, more=more))
        files.append(file)
    return files


def answers(name, file, samples):
    """A copy of a task whose right answers are the texts that lm-eval generated, every second one spoilt."""
    folder = work / "answers"
    folder.mkdir(exist_ok=True)
    data, copy = folder / f"{name}.jsonl", folder / f"{name}-answers.yaml"
    text = (ROOT / file).read_text().replace(f"task: {Path(file).stem}", f"task: {name}-answers")
    lines = [line for line in text.splitlines() if not line.startswith("doc_to_target:")]
    lines = [f"    test: {data}" if line.startswith("    test: ") else line for line in lines]
    copy.write_text("\n".join(lines + ["doc_to_target: answer"]) + "\n")
    with data.open("w") as out:
        for number, sample in enumerate(samples):
            answer = sample["filtered_resps"][0] + ("!" if number % 2 else "")
            out.write(json.dumps({**sample["doc"], "answer": answer}) + "\n")
    return copy


def check_model(name, model, max_length=None):
    export = work / f"{name}-hf"
    shutil.rmtree(export, ignore_errors=True)
    run("export", model, export, "--profile", "hf", "--dtype", "float32", "--quiet")
    harness = HFLM(pretrained=str(export), trust_remote_code=True, dtype="float32", device="cpu", max_length=max_length)
    files = ["tasks/last-word.yaml", "tasks/continuation.yaml"]
    compare(name, theirs(harness, files, options.limit), own(model, files, options.limit, max_length))
    compare(name, theirs(harness, edges(), None), own(model, edges(), None, max_length))
    few = max(2, options.limit // 3)
    for length in options.lengths:
        for kind in ("copying", "passkey"):
            file = f"tasks/{kind}-{length}.yaml"
            expected = theirs(harness, [file], few)
            compare(name, expected, own(model, [file], few, max_length))
            samples = sorted(expected["samples"][Path(file).stem], key=lambda sample: sample["doc_id"])
            found = own(model, [answers(f"{name}-{kind}-{length}", file, samples)], None, max_length)
            value = next(iter(found["results"].values()))["exact_match,none"]
            right = (len(samples) + 1) // 2
            check(f"{name}/{kind}-{length}/texts", value * len(samples) == right,
                  f"{value * len(samples):.0f} of {right}")
    # Less room than the texts need: both leave out the same beginning.
    harness = HFLM(pretrained=str(export), trust_remote_code=True, dtype="float32", device="cpu", max_length=40)
    compare(f"{name}/truncated", theirs(harness, files, 8), own(model, files, 8, 40))


GOLDEN = """\
task: answers
dataset_path: json
dataset_kwargs:
  data_files:
    test: Tests/Fixtures/tasks/answers.jsonl
test_split: test
output_type: generate_until
doc_to_text: passage
doc_to_target: answer
generation_kwargs:
  until: [".", ";"]
  max_gen_toks: 12
  do_sample: false
metric_list:
  - metric: exact_match
    ignore_case: true
"""


def write_golden(limit=4):
    """lm-eval's figures of the first questions, and the answers it generates: every third spoilt, every other in capitals."""
    folder, export = ROOT / "Tests/Fixtures/tasks", work / "golden-hf"
    shutil.rmtree(export, ignore_errors=True)
    run("export", ROOT / "demo/tiny-qwen2", export, "--profile", "hf", "--dtype", "float32", "--quiet")
    harness = HFLM(pretrained=str(export), dtype="float32", device="cpu")
    (folder / "answers.yaml").write_text(GOLDEN)
    passages = [json.loads(line)["passage"] for line in (ROOT / "tasks/last-word.jsonl").read_text().splitlines()[:6]]

    def write(answers):
        (folder / "answers.jsonl").write_text("".join(
            json.dumps({"passage": passage, "answer": answer}, ensure_ascii=False) + "\n"
            for passage, answer in zip(passages, answers)))

    write(["?"] * len(passages))
    samples = theirs(harness, [folder / "answers.yaml"], None)["samples"]["answers"]
    texts = [sample["filtered_resps"][0] for sample in sorted(samples, key=lambda sample: sample["doc_id"])]
    write([text + "x" if n % 3 == 2 else text.upper() if n % 2 else text for n, text in enumerate(texts)])
    os.environ["HF_HOME"] = str(work / "cache-2")
    results = theirs(harness, [folder / "answers.yaml"], None)["results"]
    results |= theirs(harness, ["tasks/last-word.yaml", "tasks/continuation.yaml"], limit)["results"]
    (folder / "tiny-qwen2.json").write_text(json.dumps({"limit": limit, "results": results}, indent=1) + "\n")


def convert(name, source, *convert_options):
    out = work / f"{name}-converted"
    shutil.rmtree(out, ignore_errors=True)
    run("convert", source, out, "--quiet", *convert_options)
    return out


def main():
    if options.golden:
        return write_golden()
    tiny = ROOT / "demo/tiny-qwen2"
    models = {"tiny": lambda: (tiny,), "healed": lambda: (healed(tiny), 8192)}
    if options.smollm2:
        models["smollm2"] = lambda: (options.smollm2,)
        models["smollm2-converted"] = lambda: (
            convert("smollm2", options.smollm2, "--dtype", "float32", "--window", 1024),)
    for name, make in models.items():
        if not options.only or name in options.only:
            check_model(name, *make())
    print(f"{len(failed)} failed" + "".join(f"\n  {name}" for name in failed))
    sys.exit(1 if failed else 0)


def healed(source):
    """A conversion that has learnt a little, so that its figures are not those of noise."""
    out = work / "healed"
    shutil.rmtree(out, ignore_errors=True)
    converted = convert("tiny", source, "--window", 128)
    run("heal", converted, "--teacher", source, "--text", ROOT / "demo/war-and-peace-begin.txt", "--output", out,
        "--tokens", 8192, "--steps", 20, "--quiet")
    return out


if __name__ == "__main__":
    main()
