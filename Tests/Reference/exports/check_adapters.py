"""Adapters merged by the program against `merge_and_unload` of PEFT, in float32; exit 1 on a difference.

    python check_adapters.py PROGRAM WORK

Adapters of every kind that is merged, random, on demo/tiny-qwen2 and on the hf export of its conversion (both layouts):
every weight of what `export --lora` writes equals PEFT's to 1e-6 of the largest of its tensor, and the logits those of
the adapted model; `verify --source --lora` proves both `export` and `convert`. What is not merged is refused by name.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "demo/tiny-qwen2"
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("program")
parser.add_argument("work", type=Path)
options = parser.parse_args()
work, failed = options.work, []
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)

# name: settings of LoraConfig. The last ones fit the layouts' names only.
KINDS = {
    "usual": dict(r=8, lora_alpha=16, target_modules=ATTENTION),
    "all linear, root of the rank": dict(r=4, lora_alpha=8, use_rslora=True, target_modules="all-linear"),
    "patterns": dict(r=4, lora_alpha=8, target_modules=[*ATTENTION, "up_proj"],
                     rank_pattern={"q_proj": 7, "^model.layers.3.mlp.up_proj": 2},
                     alpha_pattern={"layers.0.LAYER.k_proj": 3, "o_proj": 1}),
    "whole modules": dict(r=2, target_modules=["v_proj"], modules_to_save=["lm_head", "norm"]),
    "biases": dict(r=2, target_modules=["q_proj"], bias="all"),
    "biases of adapted": dict(r=2, target_modules=["q_proj", "k_proj"], bias="lora_only"),
    "bias of the second matrix": dict(r=2, target_modules=["q_proj", "v_proj"], lora_bias=True),
    "embedding": dict(r=3, target_modules=["EMBEDDING", "down_proj"]),
    "embedding whole": dict(r=3, target_modules=["o_proj"], modules_to_save=["EMBEDDING"]),
    "fan in, fan out": dict(r=3, target_modules=["o_proj"], fan_in_fan_out=True),
    "orthogonal": dict(r=4, target_modules=["gate_proj"], init_lora_weights="orthogonal"),
}
OWN = {"gates": dict(r=2, target_modules=["gk_proj.0", "gk_proj.1", "q_proj"])}
REFUSED = {"use_dora": dict(use_dora=True), "pissa": dict(init_lora_weights="pissa"),
           "trainable_token_indices": dict(trainable_token_indices=[1, 2])}


def check(name, ok, value=""):
    print("ok  " if ok else "FAIL", name, value, flush=True)
    if not ok:
        failed.append(name)


def run(*arguments, code=0):
    done = subprocess.run([options.program, *map(str, arguments), "--quiet"], capture_output=True, text=True)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


def load(directory):
    dtype = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    return AutoModelForCausalLM.from_pretrained(
        str(directory), trust_remote_code=True, **{dtype: torch.float32}).eval()


def adapted(base, settings, embedding, layer):
    """The base model with a random adapter."""
    text = json.dumps(settings).replace("EMBEDDING", embedding).replace("LAYER", layer)
    model = get_peft_model(load(base), LoraConfig(task_type="CAUSAL_LM", **json.loads(text))).eval()
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter += 0.02 * torch.randn(parameter.shape, generator=random)
    return model


@torch.no_grad()
def check_kind(name, base, settings, embedding, layer):
    adapter, merged = work / "adapter", work / "merged"
    shutil.rmtree(adapter, ignore_errors=True)
    shutil.rmtree(merged, ignore_errors=True)
    model = adapted(base, settings, embedding, layer)
    model.save_pretrained(adapter)
    tokens = torch.tensor([[(7919 * n + 17) % 2048 for n in range(1, 60)]])
    logits = model(tokens).logits[0]
    run("export", base, merged, "--profile", "hf", "--lora", adapter, "--dtype", "float32")
    reference = PeftModel.from_pretrained(load(base), str(adapter)).merge_and_unload().state_dict()
    found = load_file(str(merged / "model.safetensors"))
    worst = 0.0
    for key, tensor in found.items():
        if key == "lm_head.weight" and name.endswith(("embedding", "embedding whole")):
            continue  # merged in PEFT it may be the embedding again, which it was not in training
        worst = max(worst, ((tensor - reference[key]).abs().max() / reference[key].abs().max()).item())
    check(f"{name}: weights", worst <= 1e-6, f"{worst:.1e}")
    output = work / "l.safetensors"
    run("logits", merged, "--tokens", ",".join(map(str, tokens[0].tolist())), "--output", output, "--force")
    error = ((load_file(str(output))["logits"] - logits).abs().max() / logits.abs().max()).item()
    check(f"{name}: logits", error <= 1e-4, f"{error:.1e}")
    run("verify", merged, "--source", base, "--lora", adapter)
    told = run("verify", merged, "--source", base, code=1)
    check(f"{name}: verified with the adapter only", "give it as --lora" in told)
    return adapter


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names = ("embed_tokens", "self_attn")
    for name, settings in KINDS.items():
        adapter = check_kind(f"tiny-qwen2, {name}", TINY, settings, *names)
        converted = work / "converted"
        shutil.rmtree(converted, ignore_errors=True)
        run("convert", TINY, converted, "--window", 64, "--lora", adapter)
        run("verify", converted, "--source", TINY, "--lora", adapter)
    for layout in ("inter-layer", "intra-layer"):
        exported = work / f"{layout}-exported"
        run("convert", TINY, work / layout, "--window", 16, "--layout", layout)
        run("export", work / layout, exported, "--profile", "hf")
        kinds = KINDS | (OWN if layout == "inter-layer" else {})
        for name, settings in kinds.items():
            adapter = check_kind(f"{layout}, {name}", exported, settings, "embeddings", "attn")
        shutil.rmtree(work / "merged")
        run("export", work / layout, work / "merged", "--profile", "spikingbrain", "--lora", adapter)
        run("verify", work / "merged", "--source", work / layout, "--lora", adapter)
    for word, settings in REFUSED.items():
        shutil.rmtree(work / "adapter")
        adapted(TINY, dict(r=2, target_modules=["q_proj"], **settings), *names).save_pretrained(work / "adapter")
        told = run("convert", TINY, work / "refused", "--lora", work / "adapter", code=2)
        check(f"refused: {word}", word in told and not (work / "refused").exists(), told.strip()[-120:])
    told = run("generate", work / "adapter", "--prompt", "a", code=2)
    check("an adapter alone is no model", "--lora" in told, told.strip()[-160:])
    unmerged = adapted(TINY, dict(r=2, target_modules=["q_proj"]), *names)
    from safetensors.torch import save_file
    shutil.rmtree(work / "unmerged", ignore_errors=True)
    shutil.copytree(TINY, work / "unmerged")
    save_file({key: x.clone() for key, x in unmerged.state_dict().items()}, work / "unmerged/model.safetensors",
              metadata={"format": "pt"})
    told = run("convert", work / "unmerged", work / "refused", code=2)
    check("layers of PEFT that were saved unmerged are refused", "adapter" in told, told.strip()[-200:])
    print(f"{len(failed)} failed" if failed else "all as it should be")
    sys.exit(bool(failed))


main()
