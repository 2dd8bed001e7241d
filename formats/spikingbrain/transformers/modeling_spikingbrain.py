# SPDX-License-Identifier: Apache-2.0
"""SpikingBrain models in plain PyTorch (2.5 or newer): the function of the `spikingbrain` and `gla_swa` layouts.

The parameters have the names of the stored tensors, so that `save_pretrained` writes the layout again. Shapes in
this file: B texts, T tokens, H hidden size, heads = K · R with K key/value heads of R query heads each, d channels per
head, S keys, n sink tokens, N experts.

Every token has a position, counted without padding, and a padding token the position PADDING: far from everything, so
that no rule needs to know of it. Masks may have zeros anywhere.
"""
import functools
import importlib
import math
import os

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Cache, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from .configuration_spikingbrain import GLAswaConfig, SpikingBrainConfig

PADDING = -(2 ** 40)  # the position of a padding token
UNLIMITED = 2 ** 39  # a window that holds every token, and no padding
GATE_NORMALIZER = 16  # divides the log-decays of gated linear attention
CHUNK = 64  # tokens that linear attention takes together
PIECE = 4096  # tokens for which it keeps all states between chunks
QUERY_BLOCK = 1024  # queries of softmax attention that get a mask together

ACTIVATIONS = {
    "swish": F.silu, "silu": F.silu, "gelu": F.gelu,
    "gelu_pytorch_tanh": functools.partial(F.gelu, approximate="tanh"),
}


def wide(x):
    """x in float32, or in float64 as it is: the type that norms, decays and states are computed in."""
    return x if x.dtype == torch.float64 else x.float()


# Linear attention ---------------------------------------------------------------------------------------------------

def halves(x, size):
    """[B, K, T, ...] as runs of 2 · size tokens: first and second halves, each [B, K, T / 2 / size, size, ...]."""
    return x.unflatten(2, (-1, 2, size)).unbind(3)


def joined(first, second):
    """The inverse of `halves`."""
    return torch.stack((first, second), dim=3).flatten(2, 4)


def states_between(state, decays, updates):
    """All states of S_i = decays_i · S_{i-1} + updates_i, the first one included.

    state [B, K, d, d], decays [B, K, m, d, 1], updates [B, K, m, d, d] -> [B, K, m + 1, d, d].
    Runs of twice the length are put together of two, so that m steps take log2(m) operations.
    """
    states = torch.cat((state.unsqueeze(2), updates), dim=2)
    decays = torch.cat((torch.ones_like(decays[:, :, :1]), decays), dim=2)
    step = 1
    while step < states.shape[2]:
        later = states[:, :, step:] + decays[:, :, step:] * states[:, :, :-step]
        states = torch.cat((states[:, :, :step], later), dim=2)
        decays = torch.cat((decays[:, :, :step], decays[:, :, step:] * decays[:, :, :-step]), dim=2)
        step *= 2
    return states


def linear_attention(q, k, v, decay, state):
    """S_t = diag(exp decay_t) S_{t-1} + k_tᵀ v_t and o_t = q_t S_t, for any decay <= 0, -inf included.

    q [B, K, T, R, d]; k, v, decay [B, K, T, d]; state [B, K, d, d]; all float32 or float64.
    Returns o as q, and the last state.

    Within a chunk, runs of tokens are joined to runs of twice the length: the second one reads what the first one holds
    through the decay from there to the place where they meet, and from that place on. So only sums of decays are
    exponentiated, never differences of sums: nothing overflows, and nothing is lost when a channel forgets at once.
    """
    length = q.shape[2]
    if length > PIECE:  # bounds the memory of states_between
        outputs = []
        for start in range(0, length, PIECE):
            piece = (x[:, :, start:start + PIECE] for x in (q, k, v, decay))
            output, state = linear_attention(*piece, state)
            outputs.append(output)
        return torch.cat(outputs, dim=2), state
    chunk = CHUNK if length > 1 else 1
    missing = -length % chunk
    if missing:  # tokens that add nothing and forget nothing
        q = F.pad(q, (0, 0, 0, 0, 0, missing))
        k, v, decay = (F.pad(x, (0, 0, 0, missing)) for x in (k, v, decay))

    output = (q * k.unsqueeze(3)).sum(-1, keepdim=True) * v.unsqueeze(3)  # what a token sees of itself
    since, until = decay, torch.zeros_like(decay)  # log-decay from the run's start to t, from t to the run's end
    size = 1
    while size < chunk:
        (k1, _), (v1, _), (_, q2) = halves(k, size), halves(v, size), halves(q, size)
        (since1, since2), (until1, until2), (output1, output2) = (halves(x, size) for x in (since, until, output))
        scores = (q2 * since2.exp().unsqueeze(4)).flatten(3, 4) @ (k1 * until1.exp()).transpose(3, 4)
        output = joined(output1, output2 + (scores @ v1).view_as(output2))
        total1, total2 = since1[..., -1:, :], since2[..., -1:, :]
        since, until = joined(since1, since2 + total1), joined(until1 + total2, until2)
        size *= 2

    keys, values = (x.unflatten(2, (-1, chunk)) for x in (k * until.exp(), v))
    updates = keys.transpose(3, 4) @ values
    decays = since[:, :, chunk - 1::chunk].exp().unsqueeze(-1)
    states = states_between(state, decays, updates)
    queries = (q * since.exp().unsqueeze(3)).unflatten(2, (-1, chunk)).flatten(3, 4)
    output = output + (queries @ states[:, :, :-1]).view_as(output)
    return output[:, :, :length], states[:, :, -1]


# Softmax attention --------------------------------------------------------------------------------------------------

def inverse_frequencies(rotary, device):
    """Radians per position of the pairs of channels that turn, float32 [channels / 2]."""
    theta, channels, scaling = rotary
    wavelengths = theta ** (torch.arange(0, channels, 2, dtype=torch.float32, device=device) / channels)
    inverse = 1.0 / wavelengths
    if scaling is None or scaling["rope_type"] == "default":
        return inverse
    if scaling["rope_type"] == "linear":
        return inverse / scaling["factor"]
    if scaling["rope_type"] == "factors":
        return inverse / torch.tensor(scaling["factors"], dtype=torch.float32, device=device)
    if scaling["rope_type"] == "wavelengths":
        return 1.0 / (torch.tensor(scaling["factors"], dtype=torch.float32, device=device) * wavelengths)
    if scaling["rope_type"] == "yarn":
        kept = 1 - yarn_ramp(theta, channels, scaling).to(device)
        return 1.0 / (scaling["factor"] * wavelengths) * (1 - kept) + inverse * kept
    # llama3: what turns often within the original context is kept, what hardly turns is stretched.
    turns = scaling["original_max_position_embeddings"] * inverse / (2 * math.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - kept) * inverse / scaling["factor"] + kept * inverse


def yarn_ramp(theta, channels, scaling):
    """0 for pairs of channels that turn often within the original context, 1 for those that hardly turn."""
    context = scaling["original_max_position_embeddings"]
    first, last = (channels * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(theta))
                   for turns in (scaling["beta_fast"], scaling["beta_slow"]))
    if scaling["truncate"]:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, channels - 1)
    last += 0.001 if first == last else 0
    return ((torch.arange(channels // 2, dtype=torch.float32) - first) / (last - first)).clamp(0, 1)


def rotate(x, cos, sin):
    """Rotary embedding of x [B, heads, T, d]: channel i turns with channel i + c / 2, by cos, sin [B, 1, T, c / 2]."""
    half = cos.shape[-1]
    first, second, rest = x.split((half, half, x.shape[-1] - 2 * half), dim=-1)
    turned = (first * cos - second * sin, second * cos + first * sin)
    return torch.cat([part.to(x.dtype) for part in turned] + [rest], dim=-1)


def attend(q, k, v, visible, scale, cap):
    """softmax(scale · q kᵀ) v, every score s as cap · tanh(s / cap) if there is a cap.

    q [B, heads, T, d]; k, v [B, K, S, d]; visible [B, 1, T, S], "causal" or None for all.
    """
    grouped = q.shape[1] != k.shape[1]
    if cap is None:
        causal = isinstance(visible, str)
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=None if causal else visible, is_causal=causal, scale=scale, enable_gqa=grouped)
    if grouped:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    scores = cap * torch.tanh(wide(q @ k.transpose(2, 3)) * (scale / cap))
    if isinstance(visible, str):
        visible = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if visible is not None:
        scores = scores.masked_fill(~visible, float("-inf"))
    return scores.softmax(-1).to(v.dtype) @ v


def softmax_attention(q, k, v, q_positions, k_positions, window, sinks, layout, scale, cap):
    """Queries see the sinks, and the last `window` keys up to their own.

    q [B, heads, T, d] at q_positions [B, T]; k, v [B, K, S, d] at k_positions [B, S], the last T of them the queries'
    own; sinks, if any, come first. `layout` says what is known of padding: there is "none", or the tokens of every text
    are "contiguous", or None. Queries are taken in blocks, so that masks and, where tokens are contiguous, work grow
    with the window and not with the text.
    """
    length, total = q.shape[2], k.shape[2]
    if layout == "none" and length == 1:  # the cache holds nothing that is out of sight
        return attend(q, k, v, None, scale, cap)
    if layout == "none" and length == total and not sinks:
        if cap is None and q.dtype in (torch.float16, torch.bfloat16) and usable("flash", q.device.type):
            return flash_attention(q, k, v, window, scale)
        if length <= window:
            return attend(q, k, v, "causal", scale, cap)
    outputs = []
    for start in range(0, length, QUERY_BLOCK):
        end, first, last = min(start + QUERY_BLOCK, length), sinks, total
        if layout is not None:
            first = max(sinks, total - length + start - window + 1)
            last = max(first, total - length + end)

        def seen(x, dim):
            text = x.narrow(dim, first, last - first)
            return torch.cat((x.narrow(dim, 0, sinks), text), dim) if sinks else text

        places = seen(k_positions, 1)[:, None, None]
        age = q_positions[:, None, start:end, None] - places
        visible = (age >= 0) & (age < window) | (places >= 0) & (places < sinks)
        outputs.append(attend(q[:, :, start:end], seen(k, 2), seen(v, 2), visible, scale, cap))
    return torch.cat(outputs, dim=2)


# Kernels of other packages ------------------------------------------------------------------------------------------

# Whether to look for them at all. They are used where they were found to compute the same as the code above, on this
# device and by this test; version numbers are not looked at, because they did not tell layouts of tensors apart.
USE_KERNELS = True
KERNEL_TOLERANCE = 0.02  # of the largest value: room for bfloat16 and TF32, none for other axes


def agree(ours, theirs, tensors):
    """Whether two functions of these tensors have the same outputs (a tuple) and the same gradients."""
    results = []
    with torch.inference_mode(False), torch.enable_grad():
        for function in (ours, theirs):
            inputs = [x.detach().clone().requires_grad_() for x in tensors]
            outputs = function(*inputs)
            gradients = torch.autograd.grad(sum(x.float().square().sum() for x in outputs), inputs)
            results.append([x.detach().float() for x in (*outputs, *gradients)])
    return all(a.shape == b.shape and (a - b).abs().max() <= KERNEL_TOLERANCE * a.abs().max() for a, b in zip(*results))


def fla_linear_attention(q, k, v, decay, state):
    """`linear_attention` by flash-linear-attention: [B, T, heads, d], and a state for every query head."""
    groups = q.shape[3]
    k, v, decay = (x.transpose(1, 2).repeat_interleave(groups, dim=2) for x in (k, v, decay))
    output, last = KERNELS["fla"](
        q.transpose(1, 2).flatten(2, 3), k, v, decay, scale=1.0,
        initial_state=state.repeat_interleave(groups, dim=1), output_final_state=True)
    return output.unflatten(2, (-1, groups)).transpose(1, 2), last[:, ::groups]


def flash_attention(q, k, v, window, scale):
    """Softmax attention over a window by flash-attention, without padding; arguments as `attend` has them."""
    output = KERNELS["flash"](
        *(x.transpose(1, 2) for x in (q, k, v)), softmax_scale=scale, causal=True,
        window_size=(window - 1 if window < k.shape[2] else -1, 0))
    return output.transpose(1, 2)


@torch.compiler.assume_constant_result
def usable(name, device):
    """Whether a kernel, "fla" or "flash", was found to compute what this file does, on a device of this type."""
    if USE_KERNELS and (name, device) not in TESTED:
        module, function, test = SOURCES[name]
        try:  # an import statement would make transformers demand the package
            KERNELS[name] = getattr(importlib.import_module(module), function)
            TESTED[name, device] = test(device)
        except Exception:  # not installed, not for this device, other arguments: all of it means no
            TESTED[name, device] = False
    return USE_KERNELS and TESTED[name, device]


def fla_agrees(device):
    """2 texts of 70 tokens, 2 heads with 2 queries each, 16 channels, some of which forget at once."""
    random = torch.Generator().manual_seed(0)
    q = torch.randn(2, 2, 70, 2, 16, generator=random)
    k, v, decay = torch.randn(3, 2, 2, 70, 16, generator=random)
    decay = -decay.abs() * torch.where(torch.rand(16, generator=random) < 0.2, 50.0, 0.2)
    state = torch.randn(2, 2, 16, 16, generator=random)
    return agree(linear_attention, fla_linear_attention, [x.to(device) for x in (q, k, v, decay, state)])


def flash_agrees(device):
    """2 texts of 40 tokens, 4 heads on 2, 32 channels, 7 tokens per window, bfloat16."""
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, 40, 32, generator=random).to(device, torch.bfloat16) for heads in (4, 2, 2))
    age = torch.arange(40, device=device)[:, None] - torch.arange(40, device=device)
    visible = ((age >= 0) & (age < 7))[None, None]
    return agree(lambda *x: (attend(*x, visible, 0.3, None),), lambda *x: (flash_attention(*x, 7, 0.3),), (q, k, v))


SOURCES = {"fla": ("fla.ops.gla", "chunk_gla", fla_agrees), "flash": ("flash_attn", "flash_attn_func", flash_agrees)}
KERNELS, TESTED = {}, {}  # functions by name; results of their tests by name and type of device


# Spikes and codes ---------------------------------------------------------------------------------------------------

def straight_through(rounded, x):
    """The value of `rounded` with the gradient of x."""
    return rounded + (x - x.detach())


def spike(x, k, winners=None):
    """s · V_th for every row of x [..., C], with s = round(x / V_th), V_th = mean|x| / k; x itself where k is None.

    The mean is over the `winners` channels that are not 0, where only these are left. It is taken in float64, where
    there is such a type: it decides counts, so it should not depend on the order of summation.
    """
    if k is None:
        return x
    with torch.no_grad():
        exact = torch.float32 if x.device.type == "mps" else torch.float64
        mean = (x.abs().sum(-1, keepdim=True, dtype=exact) / (winners or x.shape[-1])).float()
        threshold = (mean / k).clamp(1e-5, 1e4)
        rounded = ((x.float() / threshold).round() * threshold).to(x.dtype)
    return straight_through(rounded, x)


def keep_winners(x, count):
    """The `count` channels of every row of x [..., C] with the largest magnitudes, of equal ones the first; else 0."""
    order = x.detach().abs().sort(dim=-1, descending=True, stable=True).indices[..., :count]
    return torch.where(torch.zeros_like(x, dtype=torch.bool).scatter(-1, order, True), x, 0)


def int8_codes(x):
    """Keys or values [..., d] as INT8 codes and float32 factors [..., 1]: the largest magnitude of a head / 127, to 17
    significant bits, so that the products are exact and are coded as themselves."""
    with torch.no_grad():
        factor = x.float().abs().amax(-1, keepdim=True) / 127
        factor = ((factor.contiguous().view(torch.int32) + 0x40) & ~0x7F).view(torch.float32)
        factor = torch.where(factor >= torch.finfo(torch.float32).tiny, factor, 0)  # subnormals have not as many
        return torch.where(factor > 0, (x.float() / factor).round(), 0).to(torch.int8), factor


def decoded(dtype, x, factor=None):
    """What `int8_codes` stand for; without a factor x is no code."""
    return x if factor is None else (x * factor).to(dtype)


# Parts of a layer ---------------------------------------------------------------------------------------------------

class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight over the last axis, in float32; with `add_one` the factor is 1 + weight."""

    def __init__(self, *shape, eps, add_one=False):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape) if add_one else torch.ones(shape))
        self.eps, self.add_one = eps, add_one

    def forward(self, x):
        normed = wide(x) * torch.rsqrt(wide(x).square().mean(-1, keepdim=True) + self.eps)
        weight = wide(self.weight) + 1 if self.add_one else wide(self.weight)
        return (normed * weight).to(x.dtype)


class Scales(nn.Module):
    """The scales beside a weight of the W8ASpike variant, under their stored name."""

    def __init__(self, *shape):
        super().__init__()
        self.scales = nn.Parameter(torch.ones(shape), requires_grad=False)


class Projection(nn.Linear):
    """x Wᵀ + b. W is stored in one of the ways that `dense_weight` knows."""

    def __init__(self, config, inputs, outputs, bias, rounds=True):
        super().__init__(inputs, outputs, bias=bias)
        self.stored, self.group = "floats", None
        if config.quantization:
            self.stored, group = config.quantization["weights"], config.quantization["group_size"]
            self.group = inputs if group == "channel" else group
            halves = self.stored == "int4"
            codes = torch.zeros(outputs, inputs // (1 + halves), dtype=torch.uint8 if halves else torch.int8)
            self.weight = nn.Parameter(codes, requires_grad=False)
            self.weight_scale = nn.Parameter(torch.ones(outputs, -(-inputs // self.group)), requires_grad=False)
        elif config.w8aspike:
            self.stored, self.group = "multiples" if rounds else "floats", 128
            self.weight_quantizer = Scales(outputs, inputs // self.group, 1)

    def _apply(self, fn, recurse=True):
        """Moves the module; scales stay in float32, as the layout has them, when the model changes its type."""
        kept = self.weight_scale.data if self.stored in ("int8", "int4") else None
        super()._apply(fn, recurse)
        if kept is not None and self.weight_scale.dtype != kept.dtype:
            self.weight_scale.data = kept.to(self.weight_scale.device)
        return self

    def dense_weight(self, dtype):
        """W [out, in]: floats; codes times a scale for every group of inputs, of 8 bits, or of 4, two in a byte with 8
        added, the even column's in the lower half; or floats that are rounded to multiples of their group's scale."""
        if self.stored == "floats":
            return self.weight
        if self.stored in ("int8", "int4"):
            codes = self.weight
            if self.stored == "int4":
                codes = torch.stack((codes & 15, codes >> 4), dim=-1).flatten(1).to(torch.int8) - 8
            scales = self.weight_scale.float().repeat_interleave(self.group, dim=1)[:, :self.in_features]
            return (codes * scales).to(dtype)
        scales = self.weight_quantizer.scales.float()
        with torch.no_grad():
            rounded = (self.weight.float().view(*scales.shape[:2], -1) / scales).round() * scales
        return straight_through(rounded.view_as(self.weight).to(self.weight.dtype), self.weight)

    def forward(self, x):
        return F.linear(x, self.dense_weight(x.dtype), self.bias)


class Attention(nn.Module):
    """The mixer of a layer: gated linear attention, softmax attention, or both side by side."""

    def __init__(self, config, layer, rotary):
        super().__init__()
        kind, hidden, dim = config.mixer[layer], config.hidden_size, config.head_dim
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.kind, self.dim, self.kv_heads, self.rotary = kind, dim, kv_heads, rotary
        self.window = config.window if kind in ("window", "parallel") else UNLIMITED
        self.sinks, self.scale, self.cap = config.num_sink_tokens, config.softmax_scale, config.attn_logit_softcapping
        self.k, self.int8_cache = config.spikes(layer), config.int8_cache

        self.q_proj = Projection(config, hidden, heads * dim, config.qkv_bias)
        self.k_proj = Projection(config, hidden, kv_heads * dim, config.qkv_bias)
        self.v_proj = Projection(config, hidden, kv_heads * dim, config.qkv_bias)
        self.o_proj = Projection(config, heads * dim, hidden, config.o_proj_bias)
        self.qk_norm = config.qk_norm
        if config.qk_norm:
            widths = (heads * dim, kv_heads * dim) if config.qk_norm == "whole" else (dim, dim)
            self.q_norm, self.k_norm = (
                RMSNorm(width, eps=config.norm_eps, add_one=config.norm_add_one) for width in widths)
        if kind == "gla":
            rank = config.gate_low_rank_dim
            if config.w8aspike:
                self.gk_proj = Projection(config, hidden, kv_heads * dim, True)
            elif config.merged_gates:
                self.gk_proj = nn.Linear(hidden, kv_heads * dim)
            else:
                self.gk_proj = nn.Sequential(nn.Linear(hidden, rank, bias=False), nn.Linear(rank, kv_heads * dim))
            self.g_norm = RMSNorm(dim, eps=config.norm_eps)
        if kind.startswith("parallel"):
            self.la_norm, self.sa_norm = (RMSNorm(heads, dim, eps=config.branch_eps) for _ in range(2))
            self.branch_scale = nn.Parameter(torch.tensor([0.0, 1.0]))

    def split(self, x):
        """[B, T, heads · d] -> [B, T, heads, d]."""
        return x.unflatten(-1, (-1, self.dim))

    def project(self, x):
        """q [B, T, heads, d], k and v [B, T, K, d]."""
        q, k, v = (getattr(self, name)(spike(x, self.k.get(name))) for name in ("q_proj", "k_proj", "v_proj"))
        if self.qk_norm == "whole":
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = self.split(q), self.split(k), self.split(v)
        if self.qk_norm is True:
            q, k = self.q_norm(q), self.k_norm(k)
        return q, k, v

    def linear(self, q, k, v, decay, positions, memory):
        """[B, T, heads, d], wide; arguments as `project` makes them, decay [B, T, K, d]."""
        real = (positions >= 0)[:, :, None, None]
        k, decay = torch.where(real, k, 0), torch.where(real, wide(decay), 0)
        state = memory.past.get("state")
        if state is None:
            state = decay.new_zeros(k.shape[0], self.kv_heads, self.dim, self.dim)
        q = (q * self.dim ** -0.5).unflatten(2, (self.kv_heads, -1)).transpose(1, 2)
        k, v, decay = (x.transpose(1, 2) for x in (k, v, decay))
        with torch.autocast(q.device.type, enabled=False):
            if q.shape[2] > 1 and usable("fla", q.device.type):
                output, state = fla_linear_attention(q, k, v, decay, state)
            else:
                output, state = linear_attention(wide(q), wide(k), wide(v), decay, state)
        if memory.kept is not None:
            memory.kept["state"] = state
        return wide(output).transpose(1, 2).flatten(2, 3)

    def softmax(self, q, k, v, positions, rotary, layout, memory):
        """[B, T, heads, d]; arguments as `project` makes them."""
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        q = spike(q, self.k.get("rotated_query"))
        k, v, k_positions = self.remember(k, v, positions, memory)
        output = softmax_attention(
            q, k, v, positions, k_positions, self.window, self.sinks, layout, self.scale, self.cap)
        return output.transpose(1, 2)

    def remember(self, k, v, positions, memory):
        """Keys, values [B, K, S, d] and positions [B, S] of earlier tokens and of these; keeps what later ones see.

        That is the sinks and the last window - 1 tokens: found by their positions, as padding may lie between.
        """
        coded = [int8_codes(x) if self.int8_cache else (x,) for x in (k, v)]
        if self.int8_cache:
            k, v = (straight_through(decoded(x.dtype, *codes), x) for x, codes in zip((k, v), coded))
        if "positions" in memory.past:
            past = [memory.past["keys"], memory.past["values"]]
            k, v = (torch.cat((decoded(x.dtype, *codes), x), dim=2) for x, codes in zip((k, v), past))
            coded = [[torch.cat(pair, dim=2) for pair in zip(*both)] for both in zip(past, coded)]
            positions = torch.cat((memory.past["positions"], positions), dim=1)
        if memory.kept is not None:
            last, surplus = positions, positions.shape[1] - (self.sinks + self.window - 1)
            if surplus > 0:
                rank = torch.where((positions >= 0) & (positions < self.sinks), UNLIMITED, positions)
                order = rank.argsort(dim=1, stable=True)[:, surplus:]
                last = positions.gather(1, order)
                order = order[:, None, :, None]
                coded = [[x.gather(2, order.expand(-1, x.shape[1], -1, x.shape[3])) for x in codes] for codes in coded]
            memory.kept |= {"positions": last, "keys": coded[0], "values": coded[1]}
        return k, v, positions

    def forward(self, x, positions, rotary, layout, memory):
        """x, out [B, T, H]; see `SpikingBrainModel.forward` and `softmax_attention` for the others."""
        q, k, v = self.project(x)
        if self.kind == "gla":
            decay = F.logsigmoid(wide(self.split(self.gk_proj(spike(x, self.k.get("gk_proj")))))) / GATE_NORMALIZER
            heads = self.g_norm(self.linear(q.relu(), k.relu(), v, decay, positions, memory))
        else:
            heads = self.softmax(q, k, v, positions, rotary[self.rotary], layout, memory)
            if self.kind.startswith("parallel"):
                # The gate is the key's: S forgets 1 - sigmoid(k) = sigmoid(-k) of itself and takes in sigmoid(k) v.
                decay = F.logsigmoid(-wide(k))
                linear = self.linear(q.sigmoid(), k.sigmoid(), v, decay, positions, memory)
                heads = self.branch_scale[0] * self.la_norm(linear) + self.branch_scale[1] * self.sa_norm(heads)
        heads = heads.to(x.dtype).flatten(2)
        return self.o_proj(spike(heads, self.k.get("o_proj")))


class FeedForward(nn.Module):
    """down(act(gate x) · up x), the dense part of a layer or one expert; k: {projection: k} of its spikes."""

    def __init__(self, config, size, k):
        super().__init__()
        self.k, self.act = k or {}, ACTIVATIONS[config.hidden_act]
        self.gate_proj, self.up_proj = (
            Projection(config, config.hidden_size, size, config.mlp_bias) for _ in range(2))
        self.down_proj = Projection(config, size, config.hidden_size, config.mlp_bias, rounds=False)
        self.winners = None if config.winners is None else max(1, round(config.winners * size))

    def forward(self, x):
        gate = self.gate_proj(spike(x, self.k.get("gate_proj")))
        inner = self.act(gate) * self.up_proj(spike(x, self.k.get("up_proj")))
        if self.winners is not None:
            inner = keep_winners(inner, self.winners)
        return self.down_proj(spike(inner, self.k.get("down_proj"), self.winners))


class Mixture(nn.Module):
    """A shared expert and N routed ones, of which a token passes through the k with the highest scores."""

    def __init__(self, config, k):
        super().__init__()
        own = k.get("experts") or [None] * config.num_experts
        self.gate = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(config, config.expert_size, k if e is None else e) for e in own)
        self.shared_expert = None
        if config.num_shared_experts:
            e = k.get("shared_expert")
            self.shared_expert = FeedForward(config, config.shared_size, k if e is None else e)
        self.chosen, self.weighted = config.num_experts_per_tok, config.routing_weights == "softmax"
        self.normalized = config.norm_topk_prob

    def route(self, scores, offsets):
        """The experts of every token [tokens, k]. Equal scores go in cyclic order from expert offset mod N on."""
        count = scores.shape[-1]
        cyclic = (torch.arange(count, device=scores.device) + offsets.unsqueeze(-1)) % count
        best = scores.detach().gather(-1, cyclic).sort(dim=-1, descending=True, stable=True).indices
        return cyclic.gather(-1, best[:, :self.chosen])

    def forward(self, x, offsets):
        """x, out [B, T, H]; offsets [B, T]: token id + position."""
        shape, x, offsets = x.shape, x.flatten(0, 1), offsets.flatten()
        scores = wide(self.gate(x))
        chosen = self.route(scores, offsets)
        weights = scores.softmax(-1).gather(-1, chosen) if self.weighted else chosen.new_ones(chosen.shape)
        weights = weights / weights.sum(-1, keepdim=True) if self.normalized else weights
        output = torch.zeros_like(x) if self.shared_expert is None else self.shared_expert(x)
        for e, expert in enumerate(self.experts):
            token, place = (chosen == e).nonzero(as_tuple=True)
            if torch.compiler.is_compiling() or len(token):  # a compiled graph cannot ask
                weighted = expert(x[token]) * weights[token, place].unsqueeze(-1).to(x.dtype)
                output = output.index_add(0, token, weighted.to(output.dtype))
        return output.view(shape)


class SpikingBrainLayer(nn.Module):
    """h += mixer(norm h); h += feed-forward part(norm h); norms in front, behind, or both."""

    def __init__(self, config, layer, rotary):
        super().__init__()

        def norm(wanted):
            own = RMSNorm(config.hidden_size, eps=config.norm_eps, add_one=config.norm_add_one)
            return own if wanted else None

        before, after = config.norm_placement != "post", config.norm_placement != "pre"
        self.attn_norm, self.attn_post_norm = norm(before), norm(after)
        self.attn = Attention(config, layer, rotary)
        self.mlp_norm, self.mlp_post_norm = norm(before), norm(after)
        self.sparse, k = config.ffn[layer] == "moe", config.spikes(layer)
        self.mlp = Mixture(config, k) if self.sparse else FeedForward(config, config.intermediate_size, k)
        self.multiplier = config.residual_multiplier

    def add(self, h, out, norm):
        out = out if norm is None else norm(out)
        return h + out * self.multiplier

    def forward(self, h, positions, offsets, rotary, layout, memory):
        """h, out [B, T, H]; see `SpikingBrainModel.forward` for the others."""
        x = h if self.attn_norm is None else self.attn_norm(h)
        h = self.add(h, self.attn(x, positions, rotary, layout, memory), self.attn_post_norm)
        x = h if self.mlp_norm is None else self.mlp_norm(h)
        return self.add(h, self.mlp(x, offsets) if self.sparse else self.mlp(x), self.mlp_post_norm)


# Models -------------------------------------------------------------------------------------------------------------

class SpikingBrainCache(Cache):
    """What the layers keep of earlier tokens: a matrix per head, the last keys and values. Of constant size, unless
    there are full layers.

    `layers`: per layer {"state": [B, K, d, d]}, {"positions": [B, S], "keys", "values": [B, K, S, d], or codes and
    factors} or both; `columns`: tokens so far, padding included; `lengths` [B]: without; `layout`: see
    `softmax_attention`. What is forgotten cannot be brought back: a cache cannot be cut to fewer tokens.
    """

    is_compileable = is_croppable = False

    def __init__(self):  # not the base class's, which would make layers of its own
        self.layers, self.columns, self.lengths, self.layout = [], 0, None, "none"

    def get_seq_length(self, layer_idx=0):
        """Columns seen so far, padding included and sinks not."""
        return self.columns

    def get_max_cache_shape(self, layer_idx=0):
        return None

    def reorder_cache(self, beam_idx):
        """Row i becomes row beam_idx[i]."""
        def pick(x):
            return x.index_select(0, beam_idx.to(x.device)) if torch.is_tensor(x) else [pick(part) for part in x]

        self.layers = [{name: pick(x) for name, x in memory.items()} for memory in self.layers]
        self.lengths = pick(self.lengths)

    batch_select_indices = reorder_cache

    def batch_repeat_interleave(self, repeats):
        self.reorder_cache(torch.arange(len(self.lengths), device=self.lengths.device).repeat_interleave(repeats))

    def reset(self):
        self.__init__()

    def crop(self, tokens):
        raise ValueError("A SpikingBrain cache cannot go back: linear attention does not keep its earlier states.")


class LayerMemory:
    """What a layer reads of earlier tokens, and what it keeps for later ones (None: nothing).

    An object of its own, because device maps copy dictionaries on their way into a layer.
    """

    def __init__(self, past, keeps):
        self.past, self.kept = past, {} if keeps else None


def returned(result, return_dict, config):
    """The result as an object, or as a tuple where that is wanted."""
    return result if (config.return_dict if return_dict is None else return_dict) else result.to_tuple()


class SpikingBrainPreTrainedModel(PreTrainedModel):
    """What both classes of models have in common."""

    config_class = SpikingBrainConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _is_stateful = True  # caches that cannot go back
    _supports_cache_class = True
    _no_split_modules = ["SpikingBrainLayer"]
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        if config.quantization:
            self._keep_in_fp32_modules_strict = ["weight_scale"]
        if config.w8aspike:
            self._keep_in_fp32_modules_strict = ["scales"]

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)) and module.weight.is_floating_point():
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)

    @classmethod
    def from_pretrained(cls, *args, output_loading_info=False, **kwargs):
        """As in `transformers`, but a missing or unexpected tensor is an error: nothing is left at random. Scales of
        codes stay what they are: loading makes parameters of all floats, and an optimiser would change them."""
        model, info = super().from_pretrained(*args, output_loading_info=True, **kwargs)
        for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if info.get(fault):
                raise ValueError(f"{fault.replace('_', ' ')} in the checkpoint: {sorted(map(str, info[fault]))}")
        for name, parameter in model.named_parameters():
            if name.endswith(("weight_scale", "quantizer.scales")):
                parameter.requires_grad_(False)
        return (model, info) if output_loading_info else model


class SpikingBrainModel(SpikingBrainPreTrainedModel):
    """Tokens to the normed residual stream."""

    def __init__(self, config):
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.sink_tokens = None
        if config.num_sink_tokens:
            self.sink_tokens = nn.Parameter(
                config.initializer_range * torch.randn(config.num_sink_tokens, config.hidden_size))
        settings = [config.rotary(layer) for layer in range(config.num_hidden_layers)]
        self.rotary = [setting for i, setting in enumerate(settings) if setting not in settings[:i]]
        self.layers = nn.ModuleList(
            SpikingBrainLayer(config, layer, self.rotary.index(settings[layer]))
            for layer in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, eps=config.norm_eps, add_one=config.norm_add_one)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self):
        return self.embeddings

    def set_input_embeddings(self, value):
        self.embeddings = value

    def forward(
            self, input_ids=None, attention_mask=None, past_key_values=None, inputs_embeds=None, use_cache=None,
            output_attentions=None, output_hidden_states=None, return_dict=None):
        """input_ids [B, T] (or inputs_embeds [B, T, H]) after the tokens of past_key_values, a SpikingBrainCache.

        attention_mask [B, T] or [B, all tokens so far]: 0 for padding. hidden_states are what enters each layer, and
        the last one is normed.
        """
        config = self.config
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("one of input_ids and inputs_embeds is needed, and only one")
        if output_attentions or output_attentions is None and config.output_attentions:
            raise ValueError("output_attentions: linear attention has no weights to show")
        if inputs_embeds is not None and "moe" in config.ffn:
            raise ValueError("inputs_embeds: experts of equal scores are chosen by token ids")
        if past_key_values is not None and not isinstance(past_key_values, SpikingBrainCache):
            raise ValueError(f"past_key_values is a {type(past_key_values).__name__}, not a SpikingBrainCache")
        if output_hidden_states is None:
            output_hidden_states = config.output_hidden_states
        checkpointing = self.gradient_checkpointing and self.training
        use_cache = (config.use_cache and not self.training if use_cache is None else use_cache) and not checkpointing
        cache = past_key_values if past_key_values is not None else SpikingBrainCache()

        h = (self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds) * config.embedding_multiplier
        positions, lengths, layout = self.place(h, attention_mask, cache)
        ids = torch.zeros_like(positions) if input_ids is None else input_ids.to(positions.device)
        sinks = config.num_sink_tokens if not cache.layers else 0
        if sinks:
            first = self.sink_tokens.to(h.device, h.dtype) * config.embedding_multiplier
            h = torch.cat((first.expand(h.shape[0], -1, -1), h), dim=1)
            places = torch.arange(sinks, device=positions.device).expand(h.shape[0], -1)
            positions, ids = torch.cat((places, positions), dim=1), F.pad(ids, (sinks, 0))
        limit = config.longest_text
        if limit is not None and h.shape[1] - sinks + cache.columns > limit:
            raise ValueError(f"the text is longer than {limit} tokens, up to which the rotary embeddings are known")
        offsets = ids + positions.clamp(min=0)
        rotary = [self.angles(setting, positions, h) for setting in self.rotary]

        memories = [LayerMemory(past, use_cache) for past in cache.layers or [{}] * len(self.layers)]
        hidden_states = []
        for n, layer in enumerate(self.layers):
            hidden_states.append(h[:, sinks:] if output_hidden_states else None)
            arguments = (h, positions, offsets, rotary, layout, memories[n])
            h = self._gradient_checkpointing_func(layer.__call__, *arguments) if checkpointing else layer(*arguments)
        if use_cache:
            cache.layers = [memory.kept for memory in memories]
            cache.columns, cache.lengths, cache.layout = cache.columns + h.shape[1] - sinks, lengths, layout
        h = self.norm(h[:, sinks:])
        result = BaseModelOutputWithPast(
            last_hidden_state=h, past_key_values=cache if use_cache else None,
            hidden_states=(*hidden_states, h) if output_hidden_states else None)
        return returned(result, return_dict, self.config)

    def place(self, h, mask, cache):
        """Positions of new tokens [B, T], tokens of every text so far [B], and what is known of padding: a `layout`."""
        batch, length = h.shape[:2]
        if mask is not None and mask.dim() != 2:
            raise ValueError(f"attention_mask has {mask.dim()} dimensions, not 2")
        if mask is not None and mask.shape[1] not in (length, cache.columns + length):
            raise ValueError(
                f"attention_mask is for {mask.shape[1]} tokens, not {length} or {cache.columns + length}")
        mask = None if mask is None else mask[:, -length:].to(h.device).bool()
        layout = None
        if not torch.compiler.is_compiling() and mask is not None:  # looks at values, which a compiled graph cannot
            if mask.all():
                mask = None
            elif not cache.columns and (mask[:, :-1] <= mask[:, 1:]).all():
                layout = "contiguous"
        if mask is None:
            layout = cache.layout
            mask = torch.ones(batch, length, dtype=torch.bool, device=h.device)
        seen = torch.zeros(batch, dtype=torch.long, device=h.device) if cache.lengths is None else cache.lengths
        counts = seen[:, None] + mask.cumsum(1)
        return torch.where(mask, counts - 1 + self.config.num_sink_tokens, PADDING), counts[:, -1], layout

    @staticmethod
    def angles(rotary, positions, h):
        """cos and sin [B, 1, T, channels / 2], float32; None where nothing turns."""
        if rotary is None:
            return None
        angles = positions.clamp(min=0).float()[:, None, :, None] * inverse_frequencies(rotary, positions.device)
        magnitude = (rotary[2] or {}).get("attention_factor", 1.0)
        return angles.cos() * magnitude, angles.sin() * magnitude


def hand_on_history(origin, directory):
    """Writes the manifest of the weights that were loaded from `origin` as manifest-before.json: spikingbrain then
    knows what the saved ones were. A manifest.json is about the files beside it, so none stays in `directory`."""
    found = [path for name in ("manifest.json", "manifest-before.json")
             if origin and os.path.isfile(path := os.path.join(origin, name))]
    former = os.path.join(directory, "manifest-before.json")
    if found:
        with open(found[0], "rb") as file:
            content = file.read()
        with open(former, "wb") as file:
            file.write(content)
    elif os.path.exists(former):
        os.remove(former)
    if os.path.exists(stale := os.path.join(directory, "manifest.json")):
        os.remove(stale)


class SpikingBrainForCausalLM(SpikingBrainPreTrainedModel, GenerationMixin):
    """The model and its head: logits of the next token."""

    _tied_weights_keys = {"lm_head.weight": "model.embeddings.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = SpikingBrainModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.model.embeddings

    def set_input_embeddings(self, value):
        self.model.embeddings = value

    def get_output_embeddings(self):
        return self.lm_head

    def set_output_embeddings(self, value):
        self.lm_head = value

    def get_decoder(self):
        return self.model

    def forward(
            self, input_ids=None, attention_mask=None, past_key_values=None, inputs_embeds=None, labels=None,
            use_cache=None, output_attentions=None, output_hidden_states=None, return_dict=None, logits_to_keep=0):
        """See `SpikingBrainModel.forward`. labels [B, T]: token ids, -100 where nothing is to be predicted; the loss is
        the mean cross entropy in nats. logits_to_keep: of how many last tokens logits are wanted, 0 for all."""
        outputs = self.model(
            input_ids, attention_mask, past_key_values, inputs_embeds, use_cache, output_attentions,
            output_hidden_states, return_dict=True)
        h = outputs.last_hidden_state
        logits = self.lm_head(h[:, -logits_to_keep:] if logits_to_keep else h) * self.config.logits_multiplier
        if self.config.final_logit_softcapping is not None:
            logits = self.config.final_logit_softcapping * torch.tanh(logits / self.config.final_logit_softcapping)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(
                wide(logits[:, :-1]).flatten(0, 1), labels[:, 1:].flatten().to(logits.device), ignore_index=-100)
        result = CausalLMOutputWithPast(
            loss=loss, logits=logits, past_key_values=outputs.past_key_values, hidden_states=outputs.hidden_states)
        return returned(result, return_dict, self.config)

    # Saving ------------------------------------------------------------------------------------------------------

    def save_pretrained(self, save_directory, is_main_process=True, **others):
        """As always, and hands on how the model was made: see `hand_on_history`."""
        if is_main_process and not os.path.isfile(save_directory):
            os.makedirs(save_directory, exist_ok=True)
            hand_on_history(getattr(self.config, "_name_or_path", "") or "", save_directory)
        return super().save_pretrained(save_directory, is_main_process=is_main_process, **others)

    # Generation: the cache is made by the first call of `forward`, not by `transformers`.

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False

    def prepare_inputs_for_generation(
            self, input_ids, past_key_values=None, attention_mask=None, inputs_embeds=None, use_cache=True,
            logits_to_keep=1, cache_position=None, next_sequence_length=None, is_first_iteration=None, **others):
        """The tokens that the cache has not seen: version 5 says how many if not all of them, version 4 always has a
        mask, which is for all tokens. (input_ids are not: after inputs_embeds they are the generated ones.) What else
        versions count is not needed; others are handed on to `forward`."""
        others = {name: value for name, value in others.items() if value is not None}
        seen = 0 if past_key_values is None else past_key_values.get_seq_length()
        new = next_sequence_length
        if new is None and attention_mask is not None:
            new = attention_mask.shape[1] - seen
        if inputs_embeds is not None and not seen:
            inputs = {"inputs_embeds": inputs_embeds}
        else:
            inputs = {"input_ids": input_ids if new is None else input_ids[:, -new:]}
        return inputs | others | {"attention_mask": attention_mask, "past_key_values": past_key_values,
                                  "use_cache": use_cache, "logits_to_keep": logits_to_keep}


class GLAswaForCausalLM(SpikingBrainForCausalLM):
    """The `gla_swa` layout."""

    config_class = GLAswaConfig


# So that save_pretrained copies these files along, in every version.
for model_class in (SpikingBrainForCausalLM, GLAswaForCausalLM):
    model_class.register_for_auto_class("AutoModelForCausalLM")
    model_class.config_class.register_for_auto_class()
