"""Golden gradients of one layer with parallel branches, from PyTorch's autograd in float64.

The layer is that of spikingbrain_reference.py, from the normed inputs to o_proj. Writes
Tests/Fixtures/healing/parallel.safetensors, float32: the weights as `role.parameter`, input [2 * 12, H] (two
segments that begin with 3 sinks), output_gradient, and for each window in `window` and `full` the output and the
gradients of the input and the weights. ParallelGoldenTests.swift reads it.
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from spikingbrain_reference import SpikingBrain, inverse_frequencies

HIDDEN, HEADS, KV, DIM, SEGMENTS, SINKS, LENGTH, WINDOW = 32, 4, 2, 8, 2, 3, 9, 4


def leaf(*shape, scale=1.0, shift=0.0):
    """Random values as float32 can hold them, in float64, with a gradient."""
    return (torch.randn(*shape) * scale + shift).double().requires_grad_()


def layer_output(model, leaves, x, window):
    """o_proj of the merged branches for one segment x [sinks + length, H]."""
    layer = {role: (leaves[f"{name}.weight"], leaves[f"{name}.bias"])
             for role, name in [("q", "query"), ("k", "key"), ("v", "value")]}
    layer |= {"la_norm": leaves["linearNorm.weight"], "sa_norm": leaves["softmaxNorm.weight"],
              "branch_scale": (1.0, 1.0)}
    q, k, v = model.project(layer, x)
    position = torch.arange(len(x))
    age, is_sink = position[:, None] - position[None, :], position < SINKS
    visible = torch.where(is_sink[:, None], is_sink[None, :], (age >= 0) & (age < window) | is_sink[None, :])
    attended = model.softmax_attention(model.rope(q, 0), model.rope(k, 0), v, visible)
    keys = k.sigmoid()
    linear, _ = model.recurrence(q.sigmoid(), keys, v, 1 - keys, model.empty_state())
    merged = model.merge(layer, linear, attended.view(len(x), HEADS, DIM))
    return F.linear(merged, leaves["output.weight"])


def main():
    torch.manual_seed(4)
    model = SpikingBrain.__new__(SpikingBrain)
    model.heads, model.kv_heads, model.dim, model.sinks = HEADS, KV, DIM, SINKS
    model.dtype, model.qk_norm, model.branch_eps = torch.float64, False, 0.01
    # As the runtime has them: float32, then exact.
    model.inverse = inverse_frequencies(500000.0, DIM, None, torch.float32).double()
    leaves = {}
    for name, rows in [("query", HEADS * DIM), ("key", KV * DIM), ("value", KV * DIM)]:
        leaves[f"{name}.weight"] = leaf(rows, HIDDEN, scale=0.3)
        leaves[f"{name}.bias"] = leaf(rows, scale=0.3)
    leaves["output.weight"] = leaf(HIDDEN, HEADS * DIM, scale=0.2)
    leaves["linearNorm.weight"] = leaf(HEADS, DIM, scale=0.3, shift=0.7)
    leaves["softmaxNorm.weight"] = leaf(HEADS, DIM, scale=0.3, shift=1.2)
    leaves["input"] = leaf(SEGMENTS * (SINKS + LENGTH), HIDDEN)
    gradient = torch.randn(SEGMENTS * (SINKS + LENGTH), HIDDEN)
    tensors = {name: value.detach() for name, value in leaves.items()} | {"output_gradient": gradient}
    for kind, window in [("window", WINDOW), ("full", LENGTH)]:
        for value in leaves.values():
            value.grad = None
        parts = leaves["input"].chunk(SEGMENTS)
        output = torch.cat([layer_output(model, leaves, x, window) for x in parts])
        (output * gradient.double()).sum().backward()
        tensors[f"{kind}.output"] = output.detach()
        tensors |= {f"{kind}.gradient.{name}": value.grad for name, value in leaves.items()}
    # Two factors that the norms contain: what is trained is their product.
    factors = torch.tensor([0.5, 2.0])
    tensors["branchScale.weight"] = factors
    tensors["linearNorm.weight"] = tensors["linearNorm.weight"] / factors[0]
    tensors["softmaxNorm.weight"] = tensors["softmaxNorm.weight"] / factors[1]
    path = pathlib.Path(__file__).parent.parent / "Fixtures" / "healing" / "parallel.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file({name: value.float().contiguous() for name, value in tensors.items()}, path)


if __name__ == "__main__":
    main()
