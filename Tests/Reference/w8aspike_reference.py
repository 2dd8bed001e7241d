"""The public W8ASpike variant of SpikingBrain in plain PyTorch, written from formats/w8aspike/README.md.

    python w8aspike_reference.py CKPT --tokens 1,2,3 --output F

What differs from `spikingbrain_reference.py`: weights are rounded to multiples of their scales in float32 and back to
their own type, all but down_proj's; inputs of projections become spike counts times their threshold; rotated queries
are spiked head by head and keys and values rounded to INT8.
"""
import argparse

import torch
import torch.nn.functional as F

from checkpoint_io import parse_ids, read_config, write_tensors
from spikingbrain_reference import SpikingBrain, rms_norm, swiglu

SUFFIX = "_quantizer.scales"
GROUP = 128
QUERY_K = 3.0


def fake_quantise(weight, scales):
    """round(w / s) * s, never clamped; scales [out, in / 128, 1], or [out, 1] for whole rows."""
    grouped = weight.reshape(len(weight), -1, GROUP) if scales.dim() == 3 else weight
    return ((grouped / scales).round() * scales).reshape(weight.shape).to(weight.dtype)


def spike(x, k):
    """Counts times threshold, token by token (and head by head where there is such an axis)."""
    threshold = (x.double().abs().mean(-1, keepdim=True).float() / k).clamp(1e-5, 1e4)
    return (x / threshold).round() * threshold


def int8(x):
    """Multiples of the largest magnitude / 127 of the last axis."""
    scale = x.abs().amax(-1, keepdim=True) / 127
    return torch.where(scale > 0, (x / scale).round() * scale, x)


class QuantisedFiles:
    """Tensor files whose weights come rounded to the scales beside them."""

    def __init__(self, files):
        self.files, self.codes = files, {}

    def __contains__(self, name):
        return name in self.files

    def take(self, name, shape=None):
        tensor = self.files.take(name, shape)
        if name + SUFFIX in self.files:
            scales = self.files.take(name + SUFFIX)
            assert scales.dtype == torch.float32
            if "down_proj" not in name:
                tensor = fake_quantise(tensor, scales)
        return tensor

    def assert_all_used(self):
        self.files.assert_all_used()


class W8ASpike(SpikingBrain):
    """A loaded model, with `run` as in SpikingBrain."""

    def __init__(self, directory, dtype=torch.float32):
        self.k = read_config(directory).get("dynamic_sfr", 3.0)
        super().__init__(directory, dtype)

    def load(self, files, *flags):
        super().load(QuantisedFiles(files), *flags)

    def project(self, layer, x):
        return super().project(layer, spike(x, self.k))

    def gla(self, layer, x, q, k, v, state):
        return super().gla(layer, spike(x, self.k), q, k, v, state)

    def softmax_attention(self, q, k, v, visible):
        return super().softmax_attention(spike(q, QUERY_K), int8(k), int8(v), visible)

    def finish(self, layer, h, mixed, offsets):
        h = h + F.linear(spike(mixed, self.k), *layer["o"])
        return h + swiglu(spike(rms_norm(h, layer["mlp_norm"], self.eps), self.k), layer["mlp"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", required=True, type=parse_ids)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    torch.set_num_threads(2)
    write_tensors(options.output, W8ASpike(options.checkpoint).run(options.tokens))


if __name__ == "__main__":
    main()
