"""A calibrated checkpoint against transformers with the same thresholds put in by hooks.

python check_spiked.py PROGRAM SOURCE CALIBRATED TEXT [TOKENS]

SOURCE is a Qwen2 or Llama directory, CALIBRATED what `calibrate` made of it. Prints both models'
perplexity (context 256); exit 1 when they differ by more than 0.2 %. Logits cannot be compared
closely: rounding noise moves a count now and then, and later layers spread it.
"""

import json
import math
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

program, source, calibrated, text = sys.argv[1:5]
count = int(sys.argv[5]) if len(sys.argv) > 5 else 2048
context = 256
settings = json.load(open(f"{calibrated}/config.json"))["spiking"]


def spike(x, k, count=None):
    mean = x.double().abs().sum(-1, keepdim=True) / (count or x.shape[-1])
    threshold = (mean.float() / k).clamp(1e-5, 1e4)
    return (x / threshold).round() * threshold


def winners_of(x):
    """All but the largest channels become 0; also how many stay."""
    count = max(1, round(settings["winners"] * x.shape[-1]))
    winners = torch.sort(x.abs(), dim=-1, descending=True, stable=True).indices[..., :count]
    return torch.zeros_like(x).scatter(-1, winners, x.gather(-1, winners)), count


def coded(x):
    scale = x.abs().amax(-1, keepdim=True) / 127
    return torch.where(scale > 0, (x / scale).round() * scale, x)


model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
ids = json.loads(subprocess.run([program, "tokenize", source], input=open(text, "rb").read(),
                                capture_output=True, check=True).stdout)[:count]


def perplexity():
    total, scored = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(ids), context):
            part = torch.tensor([ids[start : start + context]])
            if part.shape[1] < 2:
                break
            logits = model(part).logits[0, :-1].double()
            total += torch.nn.functional.cross_entropy(logits, part[0, 1:], reduction="sum").item()
            scored += part.shape[1] - 1
    return math.exp(total / scored)


unspiked = perplexity()
for layer, entry in zip(model.model.layers, settings["layers"]):
    if settings.get("winners"):
        k = entry.pop("down_proj", None)

        def select(_, args, k=k):
            kept, count = winners_of(args[0])
            return (kept if k is None else spike(kept, k, count),)

        layer.mlp.down_proj.register_forward_pre_hook(select)
    parts = {**dict(layer.self_attn.named_children()), **dict(layer.mlp.named_children())}
    for name, k in entry.items():
        if name in parts and k is not None:
            parts[name].register_forward_pre_hook(lambda _, args, k=k: (spike(args[0], k),))
    if settings["kv_cache"] == "int8":
        size = layer.self_attn.head_dim
        layer.self_attn.v_proj.register_forward_hook(
            lambda _, args, out, size=size: coded(out.unflatten(-1, (-1, size))).flatten(-2))
ks = [entry.get("rotated_query") for entry in settings["layers"]]
for module in (modeling_qwen2, modeling_llama):
    rotate = module.apply_rotary_pos_emb

    def patched(q, k, *args, rotate=rotate, state={"layer": 0}, **named):
        q, k = rotate(q, k, *args, **named)
        wanted = ks[state["layer"] % len(ks)]
        state["layer"] += 1
        if wanted is not None:
            q = spike(q, wanted)
        return q, coded(k) if settings["kv_cache"] == "int8" else k

    module.apply_rotary_pos_emb = patched
theirs = perplexity()
ours = json.loads(subprocess.run(
    [program, "evaluate", calibrated, "--text", text, "--tokens", str(count), "--context", str(context), "--json"],
    capture_output=True, check=True).stdout)["perplexity"]
print(json.dumps({"unspiked": unspiked, "transformers": theirs, "program": ours}))
sys.exit(abs(ours / theirs - 1) > 0.002)
