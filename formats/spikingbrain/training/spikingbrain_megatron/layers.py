# SPDX-License-Identifier: Apache-2.0
"""The layer of a SpikingBrain model in Megatron-core: mixers, norms, the choice of experts.

Shapes: T tokens, B texts, H hidden size; heads = K · R with K key/value heads of R query heads each, d channels per head,
all of them counted on one tensor rank; N experts. Megatron-core has tokens in front: [T, B, H].
"""
import torch
import torch.nn.functional as F
from torch import nn

from .modeling_spikingbrain import (
    GATE_NORMALIZER, Mixture, UNLIMITED, SpikingBrainModel, fla_linear_attention, linear_attention, rotate,
    softmax_attention, usable, wide)

from megatron.core.tensor_parallel import (  # behind transformers, because it changes torch
    ColumnParallelLinear, RowParallelLinear, copy_to_tensor_model_parallel_region)
from megatron.core.tensor_parallel.layers import set_tensor_model_parallel_attributes
from megatron.core.transformer.module import MegatronModule
from megatron.core.transformer.moe.router import TopKRouter
from megatron.core.transformer.transformer_layer import TransformerLayer
from megatron.core.transformer.utils import make_sharded_tensors_for_checkpoint
from megatron.core.utils import divide, get_pg_size


# Norms --------------------------------------------------------------------------------------------------------------

class Norm(nn.Module):
    """RMSNorm in float32 with a weight of `shape` over the last axes."""

    def __init__(self, config, *shape, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(shape, dtype=config.params_dtype)), eps

    def factor(self):
        return self.weight

    def forward(self, x):
        normed = wide(x) * torch.rsqrt(wide(x).square().mean(-1, keepdim=True) + self.eps)
        return (normed * wide(self.factor())).to(x.dtype)


class LayerNorm(Norm):
    """Over the hidden size. With sequence parallelism a rank has some of the tokens, and gradients are summed."""

    def __init__(self, config, hidden_size, eps):
        super().__init__(config, hidden_size, eps=eps)
        self.weight.sequence_parallel = config.sequence_parallel


class HeadNorm(Norm):
    """One weight [d] for all heads: a rank has some of them, so the gradient is summed over the ranks."""

    def factor(self):
        return copy_to_tensor_model_parallel_region(self.weight)


class BranchNorm(Norm):
    """A weight of its own [heads, d] for every head, which are shared among the tensor ranks."""

    def __init__(self, config, heads, dim, eps, tp_group):
        super().__init__(config, heads, dim, eps=eps)
        set_tensor_model_parallel_attributes(self.weight, True, 0, 1)
        self.tp_group = tp_group

    def sharded_state_dict(self, prefix="", sharded_offsets=(), metadata=None):
        return make_sharded_tensors_for_checkpoint(
            self.state_dict(keep_vars=True), prefix, {"weight": 0}, sharded_offsets, tp_group=self.tp_group,
            dp_cp_group=metadata["dp_cp_group"])


# Mixers -------------------------------------------------------------------------------------------------------------

class Rotary:
    """cos and sin [1, 1, T, c / 2] of the positions 0 … T - 1 by one setting of the model; None where nothing turns.

    Kept for the last length: layers with the same setting share one object of this class.
    """

    def __init__(self, setting):
        self.setting, self.kept = setting, {}

    def __call__(self, length, device):
        if self.kept.get("place") != (length, device):
            positions = torch.arange(length, device=device)[None]
            self.kept = {"place": (length, device), "positions": positions,
                         "angles": SpikingBrainModel.angles(self.setting, positions, None)}
        return self.kept["positions"], self.kept["angles"]


class GateProjection(ColumnParallelLinear):
    """A matrix of the decay gate, by key/value heads. Its checkpoint has no extra state, being no module of Megatron's."""

    set_extra_state, get_extra_state = nn.Module.set_extra_state, nn.Module.get_extra_state

    def __init__(self, config, inputs, outputs, tp_group):
        super().__init__(inputs, outputs, config=config, init_method=config.init_method, bias=True, tp_group=tp_group)
        self._load_state_dict_pre_hooks.clear()  # which would ask for that state

    def forward(self, x):
        return super().forward(x)[0]


class DecayGate(MegatronModule):
    """W1 W0 x + b: W0 [r, H] as a whole on every rank, W1 [K · d, r] by heads."""

    def __init__(self, config, rank, outputs, tp_group):
        super().__init__(config)
        self.tp_group = tp_group
        first = nn.Linear(config.hidden_size, rank, bias=False, dtype=config.params_dtype)
        first.weight.sequence_parallel = config.sequence_parallel
        self.add_module("0", first)
        self.add_module("1", GateProjection(config, rank, outputs, tp_group))

    def forward(self, x):
        first, second = self.children()
        return second(first(x))


class SpikingBrainAttention(MegatronModule):
    """The mixer of one layer: "gla", "window", "full", "parallel" or "parallel-full". See the README of the layout."""

    def __init__(self, config, model, rotary, layer_number, pg_collection, cp_comm_type=None):
        """`model` is the configuration of the layout, `rotary` a Rotary; the others come from Megatron-core."""
        super().__init__(config)
        self.tp_group = pg_collection.tp
        ranks = get_pg_size(self.tp_group)
        heads, kv_heads, dim = model.num_attention_heads, model.num_key_value_heads, model.head_dim
        self.kind, self.rotary = model.mixer[layer_number - 1], rotary
        self.kv_heads, self.queries, self.dim = divide(kv_heads, ranks), divide(heads, kv_heads), dim
        self.window = model.window if self.kind in ("window", "parallel") else UNLIMITED
        self.sinks, self.scale, self.cap = model.num_sink_tokens, model.softmax_scale, model.attn_logit_softcapping
        shared = {"config": config, "tp_group": self.tp_group, "skip_bias_add": False}
        self.linear_qkv = ColumnParallelLinear(
            config.hidden_size, (heads + 2 * kv_heads) * dim, init_method=config.init_method, bias=model.qkv_bias,
            gather_output=False, **shared)
        self.linear_proj = RowParallelLinear(
            heads * dim, config.hidden_size, init_method=config.output_layer_init_method, bias=model.o_proj_bias,
            input_is_parallel=True, **shared)
        self.q_layernorm = self.k_layernorm = None
        if model.qk_norm:
            self.q_layernorm, self.k_layernorm = (HeadNorm(config, dim, eps=model.norm_eps) for _ in range(2))
        if self.kind == "gla":
            self.gk_proj = (
                GateProjection(config, config.hidden_size, kv_heads * dim, self.tp_group) if model.merged_gates
                else DecayGate(config, model.gate_low_rank_dim, kv_heads * dim, self.tp_group))
            self.g_norm = HeadNorm(config, dim, eps=model.norm_eps)
        if self.kind.startswith("parallel"):
            self.la_norm, self.sa_norm = (
                BranchNorm(config, divide(heads, ranks), dim, model.branch_eps, self.tp_group) for _ in range(2))
            self.branch_scale = nn.Parameter(torch.tensor([0.0, 1.0], dtype=config.params_dtype))

    def project(self, x):
        """q [T, B, K · R, d], k and v [T, B, K, d]."""
        packed = self.linear_qkv(x)[0].unflatten(-1, (self.kv_heads, self.queries + 2, self.dim))
        q, k, v = packed.split((self.queries, 1, 1), dim=3)
        q, k, v = q.flatten(2, 3), k.squeeze(3), v.squeeze(3)
        if self.q_layernorm is not None:
            q, k = self.q_layernorm(q), self.k_layernorm(k)
        return q, k, v

    def linear(self, q, k, v, decay):
        """[T, B, K · R, d], wide; arguments as `project` makes them, decay [T, B, K, d]."""
        q = (q * self.dim ** -0.5).unflatten(2, (self.kv_heads, -1)).permute(1, 2, 0, 3, 4)
        k, v, decay = (x.permute(1, 2, 0, 3) for x in (k, v, decay))
        state = decay.new_zeros(k.shape[0], self.kv_heads, self.dim, self.dim)
        with torch.autocast(q.device.type, enabled=False):
            if usable("fla", q.device.type):
                output, _ = fla_linear_attention(q, k, v, decay, state)
            else:
                output, _ = linear_attention(wide(q), wide(k), wide(v), decay, state)
        return wide(output).permute(2, 0, 1, 3, 4).flatten(2, 3)

    def softmax(self, q, k, v):
        """[T, B, K · R, d]; arguments as `project` makes them."""
        q, k, v = (x.permute(1, 2, 0, 3) for x in (q, k, v))
        positions, angles = self.rotary(q.shape[2], q.device)
        if angles is not None:
            q, k = rotate(q, *angles), rotate(k, *angles)
        output = softmax_attention(
            q, k, v, positions, positions, self.window, self.sinks, "none", self.scale, self.cap)
        return output.permute(2, 0, 1, 3)

    def forward(self, hidden_states, attention_mask=None, **others):
        """hidden_states [T, B, H], normed; with sequence parallelism the rank's tokens. Returns what linear_proj does."""
        q, k, v = self.project(hidden_states)
        if self.kind == "gla":
            decay = F.logsigmoid(wide(self.gk_proj(hidden_states))) / GATE_NORMALIZER
            decay = decay.unflatten(-1, (self.kv_heads, self.dim))
            heads = self.g_norm(self.linear(q.relu(), k.relu(), v, decay))
        else:
            heads = self.softmax(q, k, v)
            if self.kind.startswith("parallel"):
                linear = self.linear(q.sigmoid(), k.sigmoid(), v, F.logsigmoid(-wide(k)))
                scale = copy_to_tensor_model_parallel_region(self.branch_scale)
                heads = scale[0] * self.la_norm(linear) + scale[1] * self.sa_norm(heads)
        return self.linear_proj(heads.to(hidden_states.dtype).flatten(2))[0], None


# Experts ------------------------------------------------------------------------------------------------------------

class SpikingBrainRouter(TopKRouter):
    """Experts with the highest scores, equal ones in turn; their outputs times their probabilities, or times 1.

    `offsets` [T, B], token id + position of the tokens that come next, is set by the layer.
    """

    choose = Mixture.route

    def __init__(self, config, pg_collection, weighted):
        super().__init__(config=config, pg_collection=pg_collection)
        self.chosen, self.weighted, self.offsets = config.moe_router_topk, weighted, None

    def gating(self, input):
        """Scores in float32; Megatron-core's own function needs Transformer Engine."""
        return F.linear(wide(input), wide(self.weight))

    def routing(self, logits, padding_mask=None):
        """logits [T, B, N] -> weights and the choice [T · B, N]."""
        length, texts = logits.shape[:2]
        scores = wide(self.apply_z_loss(logits.flatten(0, 1)))
        chosen, shares = self.choose(scores, self.offsets.flatten()), scores.softmax(-1)
        weights = shares.gather(1, chosen) if self.weighted else torch.ones_like(chosen, dtype=scores.dtype)
        probs = torch.zeros_like(scores).scatter(1, chosen, weights)
        choice = torch.zeros_like(scores, dtype=torch.bool).scatter(1, chosen, True)
        if self.training and torch.is_grad_enabled() and self.is_aux_loss_enabled():
            probs = self._apply_aux_loss(probs, shares, choice)
        return probs, choice


# Layers -------------------------------------------------------------------------------------------------------------

class SpikingBrainLayer(TransformerLayer):
    """Megatron-core's layer. In the place of an attention mask, which no mixer needs, it is handed `offsets` [T, B] for
    the router: so they come again when a layer is computed anew for its gradients."""

    def forward(self, *args, **kwargs):
        if self.is_moe_layer:
            self.mlp.router.offsets = kwargs["attention_mask"]
        return super().forward(*args, **kwargs)
