"""Golden vectors for KernelsTests from PyTorch, transformers' formulas and gguf.

Run with torch, numpy and gguf installed; writes *.bin next to this file. Each file is raw little-
endian data; the layouts are stated where they are written and in GoldenTests.swift.
"""

import pathlib

import gguf
import numpy as np
import torch
import torch.nn.functional as F

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(20250905)


def write(name, *arrays):
    data = b"".join(
        np.ascontiguousarray(a.numpy() if isinstance(a, torch.Tensor) else a).tobytes()
        for a in arrays
    )
    (here / f"{name}.bin").write_bytes(data)


# Quantised rows: 3 rows of 512 elements as random blocks with moderate factors, then their values.
for name in ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]:
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (3 * 512 // elements, size), dtype=np.uint8)
    halves = {"Q4_1": 2, "Q5_1": 2, "Q4_K": 2, "Q5_K": 2}.get(name, 1)
    factors = rng.normal(0, 0.02, (len(blocks), halves)).astype(np.float16).view(np.uint8)
    offset = 208 if name == "Q6_K" else 0
    blocks[:, offset : offset + 2 * halves] = factors
    raw = blocks.reshape(3, -1)
    write(f"quant_{name}", raw, gguf.quants.dequantize(raw, kind).astype(np.float32))

# Rarer blocks, with random numbers of their own so that the files below stay as they are.
rare = np.random.default_rng(20261130)
for name, offset, halves in [
    ("Q2_K", 80, 2), ("Q3_K", 108, 1), ("IQ4_NL", 0, 1), ("IQ4_XS", 0, 1), ("MXFP4", 0, 0),
    ("TQ1_0", 52, 1), ("TQ2_0", 64, 1),
]:
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rare.integers(0, 256, (3 * 512 // elements, size), dtype=np.uint8)
    factors = rare.normal(0, 0.02, (len(blocks), halves)).astype(np.float16).view(np.uint8)
    blocks[:, offset : offset + 2 * halves] = factors
    if name == "MXFP4":
        blocks[:4, 0] = [0, 1, 2, 254]
    raw = blocks.reshape(3, -1)
    write(f"quant_{name}", raw, gguf.quants.dequantize(raw, kind).astype(np.float32))

# Blocks whose codes name points of a grid, again with numbers of their own.
points = np.random.default_rng(20261201)
for name in ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"]:
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = points.integers(0, 256, (3 * 512 // elements, size), dtype=np.uint8)
    factors = points.normal(0, 0.02, (len(blocks), 1)).astype(np.float16)
    if name == "IQ1_M":  # in the upper four bits of four words
        words = blocks[:, 48:].view(np.uint16)
        words &= 0x0FFF
        words |= (factors.view(np.uint16) >> np.array([0, 4, 8, 12], np.uint16)) << np.uint16(12)
    else:
        blocks[:, :2] = factors.view(np.uint8)
    raw = blocks.reshape(3, -1)
    write(f"quant_{name}", raw, gguf.quants.dequantize(raw, kind).astype(np.float32))

# Casts: float32 patterns, then torch's bfloat16 and float16 of them.
patterns = rng.integers(0, 2**32, 1500, dtype=np.uint64).astype(np.uint32)
near_half = rng.normal(0, 1, 800).astype(np.float32).view(np.uint32)
tiny = (rng.uniform(-1, 1, 500) * 2.0**-14).astype(np.float32).view(np.uint32)
ties = (rng.integers(0, 2**19, 500).astype(np.uint32) << 13) | np.uint32(0x1000)
edges = np.array([0, 0x80000000, 0x7F800000, 0xFF800000, 0x477FE000, 0x477FEFFF, 0x477FF000,
                  0x33000000, 0x33000001, 0x387FFFFF, 0x38800000, 0x7F7FFFFF, 1], dtype=np.uint32)
bits = np.concatenate([patterns, near_half, tiny, ties, edges])
values = torch.from_numpy(bits.view(np.float32).copy())
values = values[~values.isnan()]
write("casts", values, values.bfloat16().view(torch.int16), values.half().view(torch.int16))


# Rotary: inverse frequencies [d/2], then cos [5, d/2] and sin [5, d/2] at the positions of rows.
def inverse(dim, theta):
    return 1.0 / (theta ** (torch.arange(0, dim, 2, dtype=torch.int64).float() / dim))


def llama3(inv_freq, factor=8.0, low=1.0, high=4.0, old=8192):
    wavelen = 2 * np.pi / inv_freq
    scaled = torch.where(wavelen > old / low, inv_freq / factor, inv_freq)
    smooth = (old / wavelen - low) / (high - low)
    smoothed = (1 - smooth) * scaled / factor + smooth * scaled
    medium = ~(wavelen < old / high) * ~(wavelen > old / low)
    return torch.where(medium, smoothed, scaled)


positions = torch.tensor([0, 1, 777, 40000, 131071]).float()
for name, freq in [
    ("plain_64_1e4", inverse(64, 10000.0)),
    ("plain_128_1e6", inverse(128, 1000000.0)),
    ("plain_80_5e5", inverse(80, 500000.0)),
    ("llama3_128_5e5", llama3(inverse(128, 500000.0))),
    ("linear_64_1e4", inverse(64, 10000.0) / 4.0),
]:
    angles = positions[:, None] * freq[None]
    write(f"rotary_{name}", freq, angles.cos(), angles.sin())

# Window attention: T 37, heads 6/2, d 24, window 9 (0 = all): q, k, v, then o for both.
torch.manual_seed(1)
q, k, v = torch.randn(37, 6, 24), torch.randn(37, 2, 24), torch.randn(37, 2, 24)
outputs = []
for window in [9, 10**6]:
    i, j = torch.arange(37)[:, None], torch.arange(37)[None]
    mask = (j <= i) & (j > i - window)
    o = F.scaled_dot_product_attention(
        q.double().transpose(0, 1), k.double().transpose(0, 1).repeat_interleave(3, 0),
        v.double().transpose(0, 1).repeat_interleave(3, 0), attn_mask=mask)
    outputs.append(o.transpose(0, 1).float())
write("attention", q, k, v, *outputs)

# GLA: T 50, heads 6/2, d 16: q, k, v, gate logits, initial state, then o and the final state.
T, H, KV, D = 50, 6, 2, 16
q, k = torch.randn(T, H, D).relu(), torch.randn(T, KV, D).relu()
v, z, state = torch.randn(T, KV, D), torch.randn(T, KV, D) * 8, torch.randn(KV, D, D)
g = F.logsigmoid(z.double()) / 16
S, o = state.double(), torch.zeros(T, H, D, dtype=torch.float64)
for t in range(T):
    S = S * g[t].exp()[:, :, None] + k[t].double()[:, :, None] * v[t].double()[:, None, :]
    o[t] = torch.einsum("hc,hcv->hv", q[t].double(), S.repeat_interleave(H // KV, 0)) * D**-0.5
write("gla", q, k, v, z, state, o.float(), S.float())

# Norm and activation: x [7, 33], weight [33], RMSNorm(x) with eps 1e-5; gate, up [231], SwiGLU.
x, w = torch.randn(7, 33) * 3, torch.randn(33)
n = x.double() * (x.double().pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * w.double()
gate, up = torch.randn(231) * 10, torch.randn(231)
write("norm", x, w, n.float(), gate, up, (F.silu(gate.double()) * up.double()).float())
