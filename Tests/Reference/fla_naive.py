"""The recurrence of spikingbrain_reference.py against flash-linear-attention's own naive operator.

Optional; needs the package's files, not its dependencies (only one file of it is loaded):

    pip install --no-deps --target /tmp/fla fla-core
    python fla_naive.py --fla /tmp/fla
"""
import argparse
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from spikingbrain_reference import GATE_NORMALIZER, GATE_RANK, SpikingBrain, rms_norm


def load_naive(directory):
    """`naive_recurrent_gla` of an unpacked package, without importing the package."""
    path = Path(directory) / "fla/ops/gla/naive.py"
    spec = importlib.util.spec_from_file_location("fla_naive_gla", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.naive_recurrent_gla


def compare(naive, tokens, heads, kv_heads, dim, random):
    """The largest difference of outputs and final states, each relative to its largest value."""
    hidden = heads * dim

    def draw(*shape):
        return torch.randn(*shape, generator=random)

    x, q = draw(tokens, hidden), draw(heads, tokens, dim)
    k, v, state = draw(kv_heads, tokens, dim), draw(kv_heads, tokens, dim), draw(kv_heads, dim, dim)
    layer = {"g_norm": 1 + 0.3 * draw(dim), "gk": [
        (draw(GATE_RANK, hidden) * hidden ** -0.5, None),
        (draw(kv_heads * dim, GATE_RANK) * GATE_RANK ** -0.5, draw(kv_heads * dim))]}
    shape = SimpleNamespace(heads=heads, kv_heads=kv_heads, dim=dim, eps=1e-6)
    ours, ours_state = SpikingBrain.gla(shape, layer, x, q, k, v, state)

    gate = x
    for weight, bias in layer["gk"]:
        gate = F.linear(gate, weight, bias)
    gate = (F.logsigmoid(gate) / GATE_NORMALIZER).view(tokens, kv_heads, dim).transpose(0, 1)
    # Theirs has one state per query head and [batch, time, head, channel] layout.
    group = heads // kv_heads
    repeated = [t.repeat_interleave(group, dim=0).transpose(0, 1)[None] for t in (F.relu(k), v, gate)]
    theirs, theirs_state = naive(
        F.relu(q).transpose(0, 1)[None], *repeated,
        initial_state=state.repeat_interleave(group, dim=0)[None], output_final_state=True)
    theirs = rms_norm(theirs[0], layer["g_norm"], 1e-6).reshape(tokens, -1)
    pairs = [(ours, theirs), (ours_state.repeat_interleave(group, dim=0), theirs_state[0])]
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fla", required=True, help="directory that holds fla/ops/gla/naive.py")
    options = parser.parse_args()
    naive, random = load_naive(options.fla), torch.Generator().manual_seed(0)
    worst = 0.0
    for tokens, heads, kv_heads, dim in ((1, 2, 1, 4), (7, 4, 4, 8), (50, 4, 2, 16), (129, 28, 4, 128)):
        value = compare(naive, tokens, heads, kv_heads, dim, random)
        worst = max(worst, value)
        print(f"T {tokens:3} heads {heads}/{kv_heads} d {dim:3}: {value:.2g}")
    print("ok" if worst < 1e-5 else "FAIL", f"{worst:.2g}")
    raise SystemExit(worst >= 1e-5)


if __name__ == "__main__":
    main()
