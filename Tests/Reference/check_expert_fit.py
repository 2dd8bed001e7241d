"""`upcycle --router clustered --teacher` against torch in float64: clusters, routing, and the refit of every expert.

    python check_expert_fit.py --program P --work DIR --source tiny-qwen2 --text FILE [--tokens 4096] [--context 128]

Converts SOURCE with windows of 4 tokens (a damage that needs no healing), upcycles it, and looks at the first layer
with experts: router rows are a fixed point of spherical k-means of unit length, and every down_proj is the ridge solution
whose held-out error is least. Prints the largest deviations; exit 1 when one is too large.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

from checkpoint_io import load_source
from perplexity import encode, read_text
from spikingbrain_reference import SpikingBrain, rms_norm

LAYER, EXPERTS, SINK, RIDGES = 7, 3, 32.0, (1e-2, 1e-1, 1.0, 10.0, 100.0)


class Recorded(SpikingBrain):
    """Keeps what every feed-forward part reads: the stream [T, H]."""

    def finish(self, layer, h, mixed, offsets):
        self.middles.append(h + torch.nn.functional.linear(mixed, *layer["o"]))
        return super().finish(layer, h, mixed, offsets)


def streams(directory, source, ids):
    """The upcycled model's stream before, and the source's after, the feed-forward part of LAYER [N, H]."""
    model = Recorded(directory, torch.float64)
    middles, goals = [], []
    # Not `hidden_states`, whose last entry has passed the final norm.
    source.model.layers[LAYER].register_forward_hook(
        lambda layer, inputs, output: goals.append(output[0] if isinstance(output, tuple) else output))
    for segment in ids:
        model.middles = []
        model.run(segment.tolist())
        middles.append(model.middles[LAYER])
        source(segment[None])
    return model, torch.cat(middles), torch.cat([goal.view(-1, goal.shape[-1]) for goal in goals])


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--context", type=int, default=128)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    damaged, out = str(args.work / "damaged"), str(args.work / "upcycled")
    # Streams in float32: bfloat16 products would hide what is compared.
    run = lambda *words: subprocess.run([args.program, *words, "--quiet", "--force"], check=True,
                                        env=dict(os.environ, SPIKINGBRAIN_ISA="avx2"))
    run("convert", args.source, damaged, "--attention-layers", "0-7", "--window", "16", "--dtype", "float32")
    run("upcycle", damaged, out, "--experts", str(EXPERTS), "--shared", "1", "--dense-layers",
        ",".join(str(n) for n in range(8) if n != LAYER), "--router", "clustered", "--text", args.text,
        "--tokens", str(args.tokens), "--context", str(args.context), "--teacher", args.source)

    ids = torch.tensor(encode(args.source, read_text(args.text))[:args.tokens]).view(-1, args.context)
    model, middle, goal = streams(out, load_source(args.source).double(), ids)
    layer, dense = model.weights[LAYER], SpikingBrain(damaged, torch.float64).weights[LAYER]
    x = rms_norm(middle, layer["mlp_norm"], model.eps)

    held_from = (len(ids) - max(1, min(len(ids) // 10, 16))) * args.context
    training = torch.arange(len(x)) < held_from
    norms = goal.view(len(ids), args.context, -1).norm(dim=-1)
    massive = norms > 16 * norms.sort(dim=1).values[:, args.context // 2, None]
    massive[:, 0] = True
    massive = massive.flatten()

    points = unit(x[training & ~massive])
    common = unit(points.mean(0))
    points = unit(points - (points @ common)[:, None] * common)
    rows = unit(layer["router"])
    nearest = (points @ rows.T).argmax(1)
    means = unit(torch.stack([points[nearest == e].mean(0) for e in range(EXPERTS)]))
    chosen = (x @ layer["router"].T).argmax(1)
    found = {"directions": (means - layer["router"]).abs().max().item()}

    weights = torch.where(massive, SINK, 1.0).double()
    neurons = lambda y, maps: torch.nn.functional.silu(y @ maps[0][0].T) * (y @ maps[1][0].T)
    target = goal - middle - neurons(x, layer["shared"]) @ layer["shared"][2][0].T
    prior = dense["mlp"][2][0] / 2
    worst, ridges = 0.0, []
    for e in range(EXPERTS):
        phi = neurons(x, layer["experts"][e])
        part, unseen = training & (chosen == e), ~training & (chosen == e)
        gram = (phi[part] * weights[part, None]).T @ phi[part]
        cross = (target[part] * weights[part, None]).T @ phi[part]
        fits = [(((phi[unseen] @ prior.T - target[unseen]) ** 2).sum(1) @ weights[unseen], None, prior)]
        enough = part.sum() >= phi.shape[1] and unseen.sum() >= 32
        for ridge in RIDGES if enough else ():
            pull = ridge * gram.diagonal() + 1e-10 * gram.diagonal().mean()
            fit = torch.linalg.solve(gram + pull.diag(), (cross + prior * pull).T).T
            fits.append((((phi[unseen] @ fit.T - target[unseen]) ** 2).sum(1) @ weights[unseen], ridge, fit))
        error, ridge, best = min(fits, key=lambda fit: fit[0])
        stored = layer["experts"][e][2][0]
        worst = max(worst, ((stored - best).norm() / best.norm()).item())
        ridges.append(ridge)
        print(f"expert {e}: {int(part.sum())} tokens, ridge {ridge}, held-out error {fits[0][0]:.4g} -> {error:.4g}")
    found["down_proj"] = worst
    limits = {"directions": 1e-3, "down_proj": 1e-3}
    for name, value in found.items():
        print("ok  " if value <= limits[name] else "FAIL", name, f"{value:.1e}")
    sys.exit(any(not value <= limits[name] for name, value in found.items()))


if __name__ == "__main__":
    main()
