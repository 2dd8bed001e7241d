"""Golden gradients for KernelsTests from PyTorch's autograd, in float64, of the plain formulas.

Run with torch installed; writes *.bin next to this file, raw little-endian float32. The layouts are
stated where they are written and in GradientGoldenTests.swift.
"""

import pathlib

import torch
import torch.nn.functional as F

here = pathlib.Path(__file__).parent


def write(name, *tensors):
    parts = [t.detach().float().contiguous().numpy().tobytes() for t in tensors]
    (here / f"{name}.bin").write_bytes(b"".join(parts))


def leaf(tensor):
    """The value as float32 can hold it, in float64, with a gradient."""
    return tensor.float().double().requires_grad_()


torch.manual_seed(2)

# GLA: T 45, heads 6/2, d 16: q, k, v, gate logits z, initial state, dO; then dq, dk, dv, dz.
T, H, KV, D = 45, 6, 2, 16
q, k = leaf(torch.randn(T, H, D).relu()), leaf(torch.randn(T, KV, D).relu())
v, z = leaf(torch.randn(T, KV, D)), leaf(torch.randn(T, KV, D) * 20)
state, do = torch.randn(KV, D, D), torch.randn(T, H, D)
g = F.logsigmoid(z) / 16
S, loss = state.double(), 0
for t in range(T):
    S = S * g[t].exp()[:, :, None] + k[t][:, :, None] * v[t][:, None, :]
    o = torch.einsum("hc,hcv->hv", q[t], S.repeat_interleave(H // KV, 0)) * D**-0.5
    loss = loss + (o * do[t].double()).sum()
loss.backward()
write("gla_gradients", q, k, v, z, state, do, q.grad, k.grad, v.grad, z.grad)

# RMSNorm: x [7, 33], weight [33], dy [7, 33]; then dx and dweight; eps 1e-5.
x, w, dy = leaf(torch.randn(7, 33) * 3), leaf(torch.randn(33)), torch.randn(7, 33)
y = x * (x.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * w
(y * dy.double()).sum().backward()
write("norm_gradients", x, w, dy, x.grad, w.grad)

# Adam: start [40], prior [40], gradients [5, 40]; then the parameters after each of 5 steps.
# lr 0.01, betas 0.9 and 0.99, eps 1e-6, weight decay 0.1 towards the prior (AdamW on w - prior).
start, prior, gradients = leaf(torch.randn(40)), torch.randn(40).double(), torch.randn(5, 40)
offset = (start.detach() - prior).requires_grad_()
adam = torch.optim.AdamW([offset], lr=0.01, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)
steps = []
for gradient in gradients:
    offset.grad = gradient.double()
    adam.step()
    steps.append(offset.detach() + prior)
write("adam", start, prior, gradients, torch.stack(steps))
