"""Golden vectors for INT8 weights from PyTorch and numpy; writes int8.bin next to this file.

Raw little-endian arrays in this order, with R rows, C columns, T tokens, groups of G:
  weights f32 [R, C], scales f32 [R, ceil(C/G)], codes i8 [R, C]: torch.round, clamped to +-127
  counts i32 [T, C] up to 10,000, thresholds f32 [T], y f64 [T, R]: exact integer sums of a group,
    then float64
  x f32 [N, 96], w f32 [8, 96]; relative output errors f64 [3] of rounding w in groups of 32: to the
    nearest code at max/127, and by GPTQ as published (inverse of the damped moments, its upper
    Cholesky factor) with the same scales, in the given order; and the damping
"""

import pathlib

import numpy as np
import torch

here = pathlib.Path(__file__).parent
torch.manual_seed(20261122)
R, C, T, G = 7, 300, 6, 128
groups = -(-C // G)

weights = torch.randn(R, C) * 0.05
scales = torch.rand(R, groups) * 5e-4 + 2e-4
per_input = scales.repeat_interleave(G, 1)[:, :C]
codes = torch.clamp(torch.round(weights * (1 / per_input)), -127, 127).to(torch.int8)

counts = torch.randint(-9, 10, (T, C), dtype=torch.int32)
counts[0, ::37] = torch.randint(-10000, 10001, (len(range(0, C, 37)),), dtype=torch.int32)
counts[2, 5], counts[2, 6], counts[3, 299] = 127, 128, -129
thresholds = torch.rand(T) + 0.1
y = torch.zeros(T, R, dtype=torch.float64)
for g in range(groups):
    part = slice(g * G, min(C, (g + 1) * G))
    sums = counts[:, part].long() @ codes[:, part].long().T
    y += sums.double() * scales[:, g].double()
y *= thresholds.double()[:, None]

N, D, size, damping = 160, 96, 32, 0.01
x = torch.randn(N, D) @ (torch.randn(D, D) * 0.3)
w = torch.randn(8, D) * 0.05
H = x.double().T @ x.double()
damped = H + damping * H.diag().mean() * torch.eye(D, dtype=torch.float64)
upper = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
group_scales = w.double().reshape(8, -1, size).abs().amax(2) / 127


def relative(q):
    e = w.double() - q
    return ((e @ H * e).sum() / (w.double() @ H * w.double()).sum()).sqrt().item()


nearest, gptq, rest = w.double().clone(), w.double().clone(), w.double().clone()
for i in range(D):
    s = group_scales[:, i // size]
    nearest[:, i] = torch.clamp(torch.round(w[:, i].double() / s), -127, 127) * s
    gptq[:, i] = torch.clamp(torch.round(rest[:, i] / s), -127, 127) * s
    error = (rest[:, i] - gptq[:, i]) / upper[i, i]
    rest[:, i + 1 :] -= error[:, None] * upper[i, i + 1 :]
print("nearest", relative(nearest), "GPTQ", relative(gptq))

arrays = [weights, scales, codes, counts, thresholds, y, x, w,
          torch.tensor([relative(nearest), relative(gptq), damping], dtype=torch.float64)]
(here / "int8.bin").write_bytes(b"".join(np.ascontiguousarray(a.numpy()).tobytes() for a in arrays))
