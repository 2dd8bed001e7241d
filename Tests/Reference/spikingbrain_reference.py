"""SpikingBrain in plain PyTorch: GLA, softmax and parallel layers, experts and sinks, written from their formulas.

Reads `gla_swa` directories and the project's own `spikingbrain` layout. Slow on purpose: the gated linear
attention is a loop over tokens, window attention a masked softmax over all keys.
"""
import argparse
import math

import torch
import torch.nn.functional as F

from checkpoint_io import TensorFiles, parse_ids, read_config, write_tensors

GATE_NORMALIZER = 16
GATE_RANK = 16
MIXERS = {"gla", "window", "full", "parallel", "parallel-full"}


def inverse_frequencies(theta, dim, scaling, dtype=torch.float32):
    """RoPE's [dim/2] inverse frequencies, with the linear, llama3 or explicit-factor scaling."""
    inverse = 1.0 / theta ** (torch.arange(0, dim, 2, dtype=dtype) / dim)
    if scaling is None:
        return inverse
    kind = scaling["rope_type"]
    if kind == "linear":
        return inverse / scaling["factor"]
    if kind == "factors":
        factors = torch.tensor(scaling["factors"], dtype=dtype)
        assert factors.shape == inverse.shape, "rope_scaling.factors must hold head_dim/2 numbers"
        return inverse / factors
    assert kind == "llama3", f"rope_type {kind}"
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_position_embeddings"] * inverse / (2 * math.pi)  # rotations within that context
    share = ((turns - low) / (high - low)).clamp(0, 1)  # 0: few turns, stretched; 1: many turns, kept
    return (1 - share) * inverse / scaling["factor"] + share * inverse


def rms_norm(x, weight, eps):
    """x / sqrt(mean(x^2) + eps) * weight over the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rotate(x, cos, sin):
    """Half-split RoPE of x [..., T, d] by cos, sin [T, d/2]."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def swiglu(x, weights):
    """down(silu(gate x) * up x)."""
    gate, up, down = weights
    return F.linear(F.silu(F.linear(x, *gate)) * F.linear(x, *up), *down)


class SpikingBrain:
    """A loaded model: `run` for a whole sequence, `start` and `step` for decoding with explicit state."""

    def __init__(self, directory, dtype=torch.float32, all_window=False):
        config = read_config(directory)
        own = config["model_type"] == "spikingbrain"
        assert own or config["model_type"] == "gla_swa", config["model_type"]
        self.dtype = dtype
        self.hidden, self.layers = config["hidden_size"], config["num_hidden_layers"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.inner, self.vocab = config["intermediate_size"], config["vocab_size"]
        self.dim = config["head_dim"] if own else self.hidden // self.heads
        self.eps = config["norm_eps"]
        rule = config.get("window_rule", "report")
        assert rule in ("report", "flash"), rule
        self.window = config["sliding_window"] + (rule == "flash")  # keys a query sees, itself included
        assert config.get("hidden_act", "swish") in ("swish", "silu"), config["hidden_act"]
        assert own or not config.get("tie_word_embeddings", False), "gla_swa has no tied embeddings"
        if own:
            self.mixers, self.ffns = list(config["mixer"]), list(config["ffn"])
            assert set(self.ffns) <= {"dense", "moe"} and len(self.ffns) == self.layers
        else:
            self.ffns = ["dense"] * self.layers
            self.mixers = ["window" if n in config["attn_layers"] else "gla" for n in range(self.layers)]
        assert len(self.mixers) == self.layers and set(self.mixers) <= MIXERS, self.mixers
        self.experts, self.top_k = config.get("num_experts"), config.get("num_experts_per_tok", 1)
        self.shared, self.expert_inner = (
            config.get("num_shared_experts", 0), config.get("moe_intermediate_size", self.inner))
        self.shared_inner = config.get("shared_expert_intermediate_size", self.shared * self.expert_inner)
        self.routing_weights = config.get("routing_weights", "softmax")
        assert self.routing_weights in ("softmax", "one"), self.routing_weights
        assert not config.get("norm_topk_prob", False)
        self.sinks = config.get("num_sink_tokens", 0)
        self.branch_eps = config.get("branch_norm_eps", self.eps)
        self.qk_norm = own and config["qk_norm"]
        self.qkv_bias = config.get("qkv_bias", True)
        self.inverse = inverse_frequencies(
            float(config["rope_theta"]), self.dim, config.get("rope_scaling") if own else None, dtype)
        self.load(TensorFiles(directory), own and config["o_proj_bias"], own and config["mlp_bias"],
                  own and config.get("tie_word_embeddings", False))
        if all_window:
            self.mixers = ["window"] * self.layers

    def load(self, files, o_bias, mlp_bias, tied):
        """Take every expected tensor, check its shape, and insist that nothing is left over."""
        hidden, inner, queries, keys = self.hidden, self.inner, self.heads * self.dim, self.kv_heads * self.dim

        def take(name, *shape):
            return files.take(name, shape).to(self.dtype)

        self.embeddings = take("model.embeddings.weight", self.vocab, hidden)
        self.norm = take("model.norm.weight", hidden)
        self.lm_head = self.embeddings if tied else take("lm_head.weight", self.vocab, hidden)
        self.sink_tokens = take("model.sink_tokens", self.sinks, hidden) if self.sinks else None
        self.weights = []
        for n, kind in enumerate(self.mixers):
            prefix = f"model.layers.{n}."

            def get(name, *shape):
                return take(prefix + name, *shape)

            layer = {"attn_norm": get("attn_norm.weight", hidden), "mlp_norm": get("mlp_norm.weight", hidden)}
            for role, rows in (("q", queries), ("k", keys), ("v", keys)):
                layer[role] = (get(f"attn.{role}_proj.weight", rows, hidden),
                               get(f"attn.{role}_proj.bias", rows) if self.qkv_bias else None)
            layer["o"] = (get("attn.o_proj.weight", hidden, queries),
                          get("attn.o_proj.bias", hidden) if o_bias else None)

            def swiglu(prefix, inner):
                return [(get(f"mlp.{prefix}{role}_proj.weight", *shape),
                         get(f"mlp.{prefix}{role}_proj.bias", shape[0]) if mlp_bias else None)
                        for role, shape in (("gate", (inner, hidden)), ("up", (inner, hidden)), ("down", (hidden, inner)))]

            if self.ffns[n] == "dense":
                layer["mlp"] = swiglu("", inner)
            else:
                layer["router"] = get("mlp.gate.weight", self.experts, hidden)
                layer["experts"] = [swiglu(f"experts.{e}.", self.expert_inner) for e in range(self.experts)]
                if self.shared:
                    layer["shared"] = swiglu("shared_expert.", self.shared_inner)
            if kind.startswith("parallel"):
                for name in ("la_norm", "sa_norm"):
                    layer[name] = get(f"attn.{name}.weight", self.heads, self.dim)
                layer["branch_scale"] = get("attn.branch_scale", 2)
            if self.qk_norm:
                layer["q_norm"] = get("attn.q_norm.weight", self.dim)
                layer["k_norm"] = get("attn.k_norm.weight", self.dim)
            if kind == "gla":
                layer["g_norm"] = get("attn.g_norm.weight", self.dim)
                if prefix + "attn.gk_proj.weight" in files:  # imported checkpoints may hold the merged, full-rank gate
                    layer["gk"] = [(get("attn.gk_proj.weight", keys, hidden), get("attn.gk_proj.bias", keys))]
                else:
                    layer["gk"] = [(get("attn.gk_proj.0.weight", GATE_RANK, hidden), None),
                                   (get("attn.gk_proj.1.weight", keys, GATE_RANK), get("attn.gk_proj.1.bias", keys))]
            self.weights.append(layer)
        files.assert_all_used()

    # Pieces shared by the full pass and by decoding; x is [T, H] --------------------------------------------------

    def project(self, layer, x):
        """q [heads, T, d], k and v [kv, T, d], with the per-head norms of q and k."""
        q, k, v = (F.linear(x, *layer[role]).view(len(x), -1, self.dim).transpose(0, 1) for role in "qkv")
        if self.qk_norm:
            q, k = rms_norm(q, layer["q_norm"], self.eps), rms_norm(k, layer["k_norm"], self.eps)
        return q, k, v

    def rope(self, x, first):
        """RoPE for positions first, first + 1, ..."""
        angles = torch.outer(torch.arange(first, first + x.shape[-2], dtype=self.dtype), self.inverse)
        return rotate(x, angles.cos(), angles.sin())

    def softmax_attention(self, q, k, v, visible):
        """q [heads, T, d] over k, v [kv, S, d]; visible [T, S] says who may be seen. Returns [T, heads * d]."""
        k, v = (t.repeat_interleave(self.heads // self.kv_heads, dim=0) for t in (k, v))
        scores = q @ k.transpose(1, 2) * self.dim ** -0.5
        weights = scores.masked_fill(~visible, float("-inf")).softmax(-1)
        return (weights @ v).transpose(0, 1).reshape(q.shape[1], -1)

    def gla(self, layer, x, q, k, v, state):
        """The recurrence, token by token, on state [kv, d, d]. Returns ([T, heads * d], the new state)."""
        q, k = F.relu(q), F.relu(k)
        gate = x
        for weight, bias in layer["gk"]:
            gate = F.linear(gate, weight, bias)
        decay = (F.logsigmoid(gate) / GATE_NORMALIZER).exp().view(len(x), self.kv_heads, self.dim)
        outputs = []
        for t in range(len(x)):
            state = decay[t].unsqueeze(-1) * state + k[:, t].unsqueeze(-1) * v[:, t].unsqueeze(-2)
            groups = q[:, t].view(self.kv_heads, -1, self.dim)  # the query heads of each kv head
            outputs.append((groups @ state).reshape(self.heads, self.dim) * self.dim ** -0.5)
        normed = rms_norm(torch.stack(outputs), layer["g_norm"], self.eps)
        return normed.reshape(len(x), -1), state

    def recurrence(self, q, k, v, decay, state):
        """S = diag(decay) S + k v, o = q S / sqrt(d): q [heads, T, d], the rest [kv, T, d]. ([T, heads, d], S)."""
        outputs = []
        for t in range(q.shape[1]):
            state = decay[:, t].unsqueeze(-1) * state + k[:, t].unsqueeze(-1) * v[:, t].unsqueeze(-2)
            groups = q[:, t].view(self.kv_heads, -1, self.dim)
            outputs.append((groups @ state).reshape(self.heads, self.dim) * self.dim ** -0.5)
        return torch.stack(outputs), state

    def merge(self, layer, linear, attended):
        """Both branches [T, heads, d], normed per head with weights of their own -> [T, heads * d]."""
        first, second = layer["branch_scale"]
        merged = first * rms_norm(linear, layer["la_norm"], self.branch_eps)
        return (merged + second * rms_norm(attended, layer["sa_norm"], self.branch_eps)).flatten(1)

    def mixture(self, layer, x, offsets):
        """Shared expert + the k likeliest routed ones; equal scores in cyclic order from the offset on."""
        result = swiglu(x, layer["shared"]) if self.shared else torch.zeros_like(x)
        scores = F.linear(x, layer["router"])
        for t, offset in enumerate(offsets):
            order = sorted(range(self.experts), key=lambda e: (-scores[t, e].item(), (e - offset) % self.experts))
            likely = scores[t].softmax(-1) if self.routing_weights == "softmax" else torch.ones_like(scores[t])
            for e in order[:self.top_k]:
                result[t] = result[t] + likely[e] * swiglu(x[t:t + 1], layer["experts"][e])[0]
        return result

    def finish(self, layer, h, mixed, offsets):
        """Output projection, residual, feed-forward block; offsets: token id + position."""
        h = h + F.linear(mixed, *layer["o"])
        x = rms_norm(h, layer["mlp_norm"], self.eps)
        return h + (swiglu(x, layer["mlp"]) if "mlp" in layer else self.mixture(layer, x, offsets))

    def head(self, h):
        """Final norm and logits."""
        return F.linear(rms_norm(h, self.norm, self.eps), self.lm_head)

    def empty_state(self):
        """GLA matrix [kv, d, d]."""
        return torch.zeros(self.kv_heads, self.dim, self.dim, dtype=self.dtype)

    # The full pass ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def run(self, tokens):
        """{'logits': [T,V], 'hidden.0' ... 'hidden.L': [T,H]} of a whole sequence from an empty state."""
        h = self.embeddings[torch.tensor(tokens)]
        if self.sinks:
            h = torch.cat([self.sink_tokens, h])
        position = torch.arange(len(h))
        age = position[:, None] - position[None, :]  # 0 for the token itself
        offsets = [p + (0 if p < self.sinks else tokens[p - self.sinks]) for p in range(len(h))]
        result = {}
        for n, (layer, kind) in enumerate(zip(self.weights, self.mixers)):
            result[f"hidden.{n}"] = h
            x = rms_norm(h, layer["attn_norm"], self.eps)
            q, k, v = self.project(layer, x)
            if kind == "gla":
                mixed, _ = self.gla(layer, x, q, k, v, self.empty_state())
            else:
                causal = (age >= 0) & (age < self.window) if kind in ("window", "parallel") else age >= 0
                is_sink = position < self.sinks
                # Text sees the sinks and its window; sinks see sinks. A sink is never inside a text's window alone.
                visible = torch.where(is_sink[:, None], is_sink[None, :], causal | is_sink[None, :])
                mixed = self.softmax_attention(self.rope(q, 0), self.rope(k, 0), v, visible)
                if kind.startswith("parallel"):
                    keys = k.sigmoid()
                    linear, _ = self.recurrence(q.sigmoid(), keys, v, 1 - keys, self.empty_state())
                    mixed = self.merge(layer, linear, mixed.view(len(h), self.heads, self.dim))
            h = self.finish(layer, h, mixed, offsets)
        result[f"hidden.{self.layers}"] = h
        result = {name: tensor[self.sinks:] for name, tensor in result.items()}
        return {"logits": self.head(h[self.sinks:]), **result}

    # Decoding -----------------------------------------------------------------------------------------------------

    def start(self):
        """The state before the first token: per layer a GLA matrix, or lists of keys and values."""
        assert not self.sinks and not any(kind.startswith("parallel") for kind in self.mixers)
        return [self.empty_state() if kind == "gla" else ([], []) for kind in self.mixers]

    @torch.no_grad()
    def step(self, token, position, state):
        """One token; `state` is updated in place. Returns the tensors of `run` for T = 1."""
        h = self.embeddings[token].unsqueeze(0)
        result = {}
        for n, (layer, kind) in enumerate(zip(self.weights, self.mixers)):
            result[f"hidden.{n}"] = h
            x = rms_norm(h, layer["attn_norm"], self.eps)
            q, k, v = self.project(layer, x)
            if kind == "gla":
                mixed, state[n] = self.gla(layer, x, q, k, v, state[n])
            else:
                keys, values = state[n]
                keys.append(self.rope(k, position))
                values.append(v)
                if kind == "window" and len(keys) > self.window:
                    keys.pop(0), values.pop(0)
                visible = torch.ones(1, len(keys), dtype=torch.bool)
                mixed = self.softmax_attention(
                    self.rope(q, position), torch.cat(keys, dim=1), torch.cat(values, dim=1), visible)
            h = self.finish(layer, h, mixed, [token + position])
        result[f"hidden.{self.layers}"] = h
        return {"logits": self.head(h), **result}

    def run_stepwise(self, tokens):
        """The tensors of `run`, computed one token at a time."""
        state = self.start()
        rows = [self.step(token, position, state) for position, token in enumerate(tokens)]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", required=True, type=parse_ids)
    parser.add_argument("--output", required=True)
    parser.add_argument("--all-window", action="store_true", help="every layer as window attention with RoPE")
    parser.add_argument("--stepwise", action="store_true", help="token by token through the decoding state")
    parser.add_argument("--float64", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = SpikingBrain(options.checkpoint, torch.float64 if options.float64 else torch.float32, options.all_window)
    result = model.run_stepwise(options.tokens) if options.stepwise else model.run(options.tokens)
    write_tensors(options.output, {name: tensor.float() for name, tensor in result.items()})


if __name__ == "__main__":
    main()
