"""Golden vectors for SpikingTests and KernelsTests from PyTorch: thresholds and counts of rows of
activations, winners of rows, and the codings of counts. Written from the formulas; run with torch
installed.

Writes counts.bin, winners.bin and codings.bin to Tests/Fixtures/spikes, raw little-endian data.
"""

import pathlib

import numpy as np
import torch

out = pathlib.Path(__file__).parents[2] / "Fixtures" / "spikes"
torch.manual_seed(20250905)


def write(name, *tensors):
    (out / name).write_bytes(b"".join(np.ascontiguousarray(t.numpy()).tobytes() for t in tensors))


# counts.bin: per row float32 x [129], then k, V_th, int32 s [129], float32 s * V_th [129].
def threshold(x, k):
    # The mean in double, so that it does not depend on the order of summation.
    mean = x.double().abs().mean().float()
    return (mean / torch.tensor(k, dtype=torch.float32)).clamp(1e-5, 1e4)


rows = []
for scale in [1e-9, 1e-3, 1.0, 37.0, 1e6]:
    for k in [0.5, 2.0, 3.0, 3.3125, 64.0]:
        rows.append((torch.randn(129) * torch.rand(129) ** 3 * scale, k))
massive = torch.randn(129)
massive[7] = 40000.0
rows.append((massive, 3.0))
rows.append((torch.zeros(129), 3.0))
# Ties: the mean of magnitudes is 3, so V_th is 1 at k = 3, and nearly every x ends in .5.
ties = ((torch.arange(129) % 6).float() + 0.5) * (1 - 2 * (torch.arange(129) // 3 % 2))
ties[126:] = torch.tensor([2.5, -3.5, 3.0])
rows.append((ties, 3.0))
parts, different = [], 0
for x, k in rows:
    v = threshold(x, k)
    s = (x / v).round()
    single = (x.abs().mean() / k).clamp(1e-5, 1e4)
    different += int(((x / single).round() != s).sum())
    parts += [x, torch.tensor([k]), v.reshape(1), s.int(), s * v]
write("counts.bin", *parts)
print(len(rows), "rows;", different, "counts differ when torch takes the mean in float32")


# winners.bin: per row int32 n, float32 x [129], what n winners leave of it [129], and s * V_th of
# that [129] at k = 3 with the mean over the winners. A stable sort lets the first of equals win.
parts, generator = [], torch.Generator().manual_seed(7)
for n in [1, 2, 13, 64, 65, 128, 129]:
    normal = torch.randn(129, generator=generator) ** 3
    tied = torch.randint(-3, 4, (129,), generator=generator).float()
    for x in [normal, tied, normal * 1e-40, torch.zeros(129)]:
        kept = torch.zeros(129)
        winners = torch.sort(x.abs(), descending=True, stable=True).indices[:n]
        kept[winners] = x[winners]
        v = ((kept.double().abs().sum() / n).float() / 3).clamp(1e-5, 1e4)
        parts += [torch.tensor([n], dtype=torch.int32), x, kept, (kept / v).round() * v]
write("winners.bin", *parts)


# codings.bin: int32 counts [C]; then for each coding int64 T and int8 spikes [T, C].
def unary(s):
    steps = torch.arange(int(s.abs().max())).reshape(-1, 1)
    return (steps < s.abs()) * s.sign()


def width(s):
    return int(s.abs().max()).bit_length()


def bits(m, steps):
    return torch.stack([(m >> (steps - 1 - t)) & 1 for t in range(steps)]) if steps else m.new_zeros((0, len(m)))


def bidirectional(s):
    return bits(s.abs(), width(s)) * s.sign()


def complement(s):
    steps = width(s) + 1
    return bits(torch.where(s < 0, s + (1 << steps), s), steps)


def signed_digits(s):
    """Digit by digit from the least: an odd rest takes 2 - (rest mod 4)."""
    rest, digits = s.clone(), []
    while bool((rest != 0).any()):
        digit = torch.where(rest % 2 != 0, 2 - rest % 4, torch.zeros_like(rest))
        digits.append(digit)
        rest = (rest - digit) // 2
    return torch.stack(digits[::-1]) if digits else s.new_zeros((0, len(s)))


def weights(steps, complemented=False):
    w = 2 ** torch.arange(steps - 1, -1, -1)
    if complemented:
        w[0] = -w[0]
    return w


def check(s, train, w):
    assert bool(((train * w.reshape(-1, 1)).sum(0) == s).all())
    return [torch.tensor([train.shape[0]]), train.to(torch.int8)]


small = torch.cat([torch.arange(-40, 41), torch.randint(-40, 41, (47,))])
large = torch.tensor([0, 1, -1, 127, -128, 10_000, -10_000, 2**31 - 1, -(2**31)])
large = torch.cat([large, torch.randint(-(2**31), 2**31, (119,))])
parts = []
for s, codings in [
    (small.abs(), ["binary", "unsigned"]), (small, ["ternary", "bitwise", "complement", "digits"]),
    (large, ["bitwise", "complement", "digits"]),
    (torch.zeros(3, dtype=torch.int64), ["binary", "ternary", "bitwise", "complement", "digits"]),
]:
    parts.append(s.int())
    for name in codings:
        if name in ("binary", "ternary"):
            train = unary(s)
            parts += check(s, train, torch.ones(train.shape[0], dtype=torch.int64))
        elif name == "complement":
            train = complement(s)
            parts += check(s, train, weights(train.shape[0], True))
        else:
            train = signed_digits(s) if name == "digits" else bidirectional(s)
            parts += check(s, train, weights(train.shape[0]))
write("codings.bin", *parts)
