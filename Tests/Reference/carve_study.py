"""What splitting a dense FFN into a shared part and routed parts by its neurons would cost, without training.

    python carve_study.py CKPT --calibrate TEXT --evaluate TEXT [--shared 0.25 --routed 0.25 --experts 8]

Every FFN is carved, front to back, on the inputs of the changed model. A neuron's importance on some tokens is the mean
of (activation * norm of its down_proj column)^2. The shared part holds the most important neurons of all tokens; tokens
are put into regions by spherical k-means, as `upcycle --router clustered` does, and the routed part of a region holds
the neurons that matter most there. Neurons may belong to several parts: the split is judged by what a token computes,
--shared + --routed of all neurons. down_proj is refitted for every region on the source's FFN output (ridge towards
the copy, chosen on the last tenth). The control uses the same number of neurons for all tokens, refitted once.
"""
import argparse
import json

import torch

from checkpoint_io import load_source
from linear_map_control import Streams, evaluate, segments

RIDGES = (1e-3, 1e-2, 1e-1, 1.0)


def clusters(x, count, rounds=12):
    """Unit directions [count, H] of spherical k-means on the rows of x, seeded."""
    unit = torch.nn.functional.normalize(x, dim=-1)
    generator = torch.Generator().manual_seed(0)
    centres = unit[torch.randperm(len(unit), generator=generator)[:count]]
    for _ in range(rounds):
        chosen = (unit @ centres.T).argmax(-1)
        for region in range(count):
            rows = unit[chosen == region]
            if len(rows):
                centres[region] = torch.nn.functional.normalize(rows.mean(0), dim=0)
    return centres


def refit(activations, target, prior):
    """down_proj's rows [n, H] for these activations [T, n], towards `prior`."""
    cut = len(activations) - max(1, len(activations) // 10)
    a, y = activations[:cut].double(), (target[:cut] - activations[:cut] @ prior).double()
    gram, cross = a.T @ a, a.T @ y
    best, found = (target[cut:] - activations[cut:] @ prior).square().sum().item(), prior
    for ridge in RIDGES:
        damped = gram + torch.diag(ridge * gram.diagonal() + 1e-9 * gram.diagonal().mean())
        candidate = prior + torch.linalg.solve(damped, cross).float()
        error = (target[cut:] - activations[cut:] @ candidate).square().sum().item()
        if error < best:
            best, found = error, candidate
    return found


class Carved(Streams):
    """The model with FFNs of some layers computed in parts."""

    def __init__(self, model, context, parts=None):
        super().__init__(model, context)
        self.parts = {} if parts is None else parts

    def activations(self, layer, x):
        mlp = self.core.layers[layer].mlp
        return mlp.act_fn(mlp.gate_proj(x)) * mlp.up_proj(x)

    def feed_forward(self, layer, hidden):
        if layer not in self.parts:
            return super().feed_forward(layer, hidden)
        centres, experts = self.parts[layer]
        x = self.core.layers[layer].post_attention_layernorm(hidden)
        flat = x.flatten(0, -2)
        values, output = self.activations(layer, flat), torch.zeros_like(flat)
        chosen = (torch.nn.functional.normalize(flat, dim=-1) @ centres.T).argmax(-1)
        for region, (neurons, down) in enumerate(experts):
            rows = chosen == region
            output[rows] = values[rows][:, neurons] @ down
        return hidden + output.view_as(hidden)


def carve(streams, layer, hidden, target, experts, shared, routed):
    """(directions, [(neurons, down_proj rows)]) of a layer for the changed stream and the source's output."""
    block = streams.core.layers[layer]
    x = torch.cat([block.post_attention_layernorm(h).flatten(0, 1) for h in hidden])
    y = torch.cat([t.flatten(0, 1) for t in target])
    values, down = streams.activations(layer, x), block.mlp.down_proj.weight.T.contiguous()
    width, scale = values.shape[1], down.square().sum(1)
    centres = clusters(x, experts)
    chosen = (torch.nn.functional.normalize(x, dim=-1) @ centres.T).argmax(-1)
    overall = values.square().mean(0) * scale
    common = overall.topk(int(shared * width)).indices
    result = []
    for region in range(experts):
        rows = chosen == region
        importance = values[rows].square().mean(0) * scale if rows.any() else overall.clone()
        importance[common] = -1
        neurons = torch.cat([common, importance.topk(int(routed * width)).indices]) if routed else common
        fitted = refit(values[rows][:, neurons], y[rows], down[neurons]) if rows.sum() > 20 else down[neurons]
        result.append((neurons, fitted))
    return centres, result


def carved(model, ids, experts, shared, routed):
    """The parts of all layers, made front to back."""
    context = ids.shape[1]
    plain, changed = Streams(model, context), Carved(model, context)
    source, student = plain.embed(ids), plain.embed(ids)
    for layer in range(len(plain.core.layers)):
        source = [h + plain.attention(layer, h) for h in source]
        student = [h + plain.attention(layer, h) for h in student]
        after = [plain.feed_forward(layer, h) for h in source]
        target = [a - h for a, h in zip(after, source)]
        parts = carve(changed, layer, student, target, experts, shared, routed)
        changed.parts[layer] = parts
        student, source = [changed.feed_forward(layer, h) for h in student], after
    return changed.parts


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="the source: a directory or .gguf")
    parser.add_argument("--calibrate", required=True)
    parser.add_argument("--evaluate", required=True)
    parser.add_argument("--shared", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--routed", type=float, default=0.25)
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32768)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--evaluate-tokens", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_source(options.checkpoint)
    ids = segments(options.checkpoint, options.calibrate, options.tokens, options.context)
    text = segments(options.checkpoint, options.evaluate, options.evaluate_tokens, options.context)
    for shared in options.shared:
        for experts, common, routed in ((options.experts, shared, options.routed), (1, shared + options.routed, 0.0)):
            parts = carved(model, ids, experts, common, routed)
            result = evaluate(Carved(model, options.context, parts), text, {})
            print(json.dumps({"experts": experts, "shared": common, "routed": routed, **result}), flush=True)


if __name__ == "__main__":
    main()
