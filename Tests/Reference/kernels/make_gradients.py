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

# Attention: 2 segments of T 23, heads 6/2, d 8: q, k, v, dO; then o, dq, dk, dv for window 6 and
# for none; then the same where the first 4 tokens are sinks.
S, T, H, KV, D = 2, 23, 6, 2, 8
shapes = [(S, T, H, D), (S, T, KV, D), (S, T, KV, D)]
inputs, do = [torch.randn(shape) * 1.5 for shape in shapes], torch.randn(S, T, H, D)
i, j = torch.arange(T)[:, None], torch.arange(T)[None]
for name, sinks in [("attention_gradients", 0), ("sink_gradients", 4)]:
    results = []
    for window in [6, T]:
        q, k, v = (leaf(x) for x in inputs)
        o = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2).repeat_interleave(H // KV, 1),
            v.transpose(1, 2).repeat_interleave(H // KV, 1),
            attn_mask=(j < sinks) | (j <= i) & (j > i - window))
        o = o.transpose(1, 2)
        (o * do.double()).sum().backward()
        results += [o, q.grad, k.grad, v.grad]
    write(name, *inputs, do, *results)

# Rotary, theta 1e4: dy [5, 3, 16] at positions 11...15; then dx.
x, dy = leaf(torch.randn(5, 3, 16)), torch.randn(5, 3, 16)
frequencies = 1.0 / (10000.0 ** (torch.arange(0, 16, 2, dtype=torch.int64).float() / 16))
angles = (torch.arange(11, 16).float()[:, None] * frequencies).double().repeat(1, 2)[:, None]
y = x * angles.cos() + torch.cat([-x[..., 8:], x[..., :8]], -1) * angles.sin()
(y * dy.double()).sum().backward()
write("rotary_gradients", dy, x.grad)

# SwiGLU: gate, up, dy [231]; then dgate and dup.
gate, up, dy = leaf(torch.randn(231) * 10), leaf(torch.randn(231)), torch.randn(231)
(F.silu(gate) * up * dy.double()).sum().backward()
write("swiglu_gradients", gate, up, dy, gate.grad, up.grad)

# Distillation: student, teacher [5, 67], the last row almost equal; then KL(teacher | student) per
# row and the gradient of a quarter of their sum.
student, teacher = torch.randn(5, 67) * 4, torch.randn(5, 67) * 4
student[4] = teacher[4] + torch.randn(67) * 0.02
student, teacher = leaf(student), leaf(teacher)
kl = F.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="none")
(kl.sum() / 4).backward()
write("distillation", student, teacher, kl.sum(-1), student.grad)
