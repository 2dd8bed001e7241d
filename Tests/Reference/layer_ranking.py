"""Checks `convert --attention-layers auto:N` against PyTorch and transformers, in float64.

    python layer_ranking.py PROGRAM CHECKPOINT TEXT [TOKENS] [CONTEXT]

Each layer's attention is replaced by the ridge fit of o_proj over gated linear attention with the
source's q, k, v and gate biases of -3, and KL(source || changed) is averaged over the held-out
tokens. Exits 1 when a score differs by more than 1 % from what the program prints.
"""
import json
import subprocess
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

SINK, RIDGES = 32.0, (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
program, checkpoint, text = sys.argv[1:4]
limit = int(sys.argv[4]) if len(sys.argv) > 4 else 2048
context = int(sys.argv[5]) if len(sys.argv) > 5 else 128

torch.set_num_threads(1)
torch.set_grad_enabled(False)
model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float64)
model.eval()
config = model.config
heads, groups = config.num_attention_heads, config.num_key_value_heads
width = getattr(config, "head_dim", None) or config.hidden_size // heads
ids = Tokenizer.from_file(checkpoint + "/tokenizer.json").encode(open(text).read()).ids[:limit]
count = len(ids) // context
batch = torch.tensor(ids[: count * context]).view(count, context)
held = max(1, min(count // 10, 16))

inputs, outputs, replacement = {}, {}, {}


def hook(layer):
    def run(module, args, kwargs, result):
        if layer in replacement:
            return (replacement[layer],) + tuple(result[1:])
        # Of the source's own run only: behind a replaced layer everything is different.
        if replacement:
            return None
        inputs[layer] = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        outputs[layer] = result[0]

    return run


for number, layer in enumerate(model.model.layers):
    layer.self_attn.register_forward_hook(hook(number), with_kwargs=True)


def logits():
    return torch.log_softmax(model(batch).logits, -1)[-held:]


def features(attention, x):
    split = lambda y, n: y.view(count, context, n, width)
    q = torch.relu(split(attention.q_proj(x), heads))
    k = torch.relu(split(attention.k_proj(x), groups)).repeat_interleave(heads // groups, 2)
    v = split(attention.v_proj(x), groups).repeat_interleave(heads // groups, 2)
    decay = torch.exp(torch.nn.functional.logsigmoid(torch.tensor(-3.0, dtype=x.dtype)) / 16)
    state = torch.zeros(count, heads, width, width, dtype=x.dtype)
    rows = []
    for t in range(context):
        state = decay * state + k[:, t, :, :, None] * v[:, t, :, None, :]
        rows.append(torch.einsum("bhi,bhij->bhj", q[:, t], state) * width**-0.5)
    o = torch.stack(rows, 1)
    o = o * torch.rsqrt(o.pow(2).mean(-1, keepdim=True) + config.rms_norm_eps)
    return o.reshape(count, context, heads * width)


def fit(phi, target, prior):
    weight = torch.ones(count, context, 1, dtype=phi.dtype)
    weight[:, 0] = SINK
    flat = lambda x, part: x[part].reshape(-1, x.shape[-1])
    train, rest = slice(0, count - held), slice(count - held, count)
    p, y, w = flat(phi, train), flat(target, train), flat(weight, train)
    gram, cross = p.T @ (w * p), (w * y).T @ p
    diagonal = torch.diagonal(gram)

    def error(matrix):
        return (flat(weight, rest) * (flat(phi, rest) @ matrix.T - flat(target, rest)) ** 2).sum()

    best = prior
    for ridge in RIDGES:
        pull = ridge * diagonal + 1e-10 * diagonal.mean()
        matrix = torch.linalg.solve(gram + torch.diag(pull), (cross + prior * pull).T).T
        if error(matrix) < error(best):
            best = matrix
    scale = (flat(weight, rest) * flat(target, rest) ** 2).sum()
    return phi @ best.T, (error(best) / scale).item()


source = logits()
expected = {}
for number, layer in enumerate(model.model.layers):
    phi = features(layer.self_attn, inputs[number])
    fitted, error = fit(phi, outputs[number], layer.self_attn.o_proj.weight.data)
    replacement[number] = fitted
    changed = logits()
    del replacement[number]
    divergence = (source.exp() * (source - changed)).sum(-1).mean().item()
    expected[number] = (divergence, error)

out = subprocess.run(
    [program, "convert", checkpoint, "/nonexistent/out", "--attention-layers", "auto:1", "--text",
     text, "--tokens", str(limit), "--context", str(context), "--dry-run", "--json", "--quiet"],
    check=True, capture_output=True, text=True).stdout
worst = 0.0
for row in json.loads(out)["selection"]["ranking"]:
    divergence, error = expected[row["layer"]]
    off = max(abs(row["kl"] / divergence - 1), abs(row["error"] / error - 1))
    worst = max(worst, off)
    print(f"layer {row['layer']:3d}  KL {row['kl']:.6f} ({divergence:.6f})  "
          f"error {row['error']:.5f} ({error:.5f})  off {off:.1e}")
print(f"largest relative difference {worst:.1e}")
sys.exit(worst > 0.01)
