# SPDX-License-Identifier: Apache-2.0
"""A SpikingBrain model as Megatron-core's GPTModel, built from the config.json of an export."""
import functools
import json
from pathlib import Path

import torch
from torch import nn

from .configuration_spikingbrain import GLAswaConfig, SpikingBrainConfig, refuse
from .modeling_spikingbrain import ACTIVATIONS
from .layers import LayerNorm, Rotary, SpikingBrainAttention, SpikingBrainLayer, SpikingBrainRouter

from megatron.core import parallel_state
from megatron.core.fusions.fused_bias_dropout import get_bias_dropout_add
from megatron.core.models.gpt import GPTModel
from megatron.core.tensor_parallel import (
    ColumnParallelLinear, RowParallelLinear, VocabParallelEmbedding, scatter_to_sequence_parallel_region)
from megatron.core.tensor_parallel.layers import set_tensor_model_parallel_attributes
from megatron.core.transformer import ModuleSpec, TransformerConfig
from megatron.core.transformer.mlp import MLP, MLPSubmodules
from megatron.core.transformer.moe.experts import SequentialMLP
from megatron.core.transformer.moe.moe_layer import MoELayer, MoESubmodules
from megatron.core.transformer.moe.shared_experts import SharedExpertMLP
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_layer import TransformerLayerSubmodules, get_transformer_layer_offset

LAYOUTS = {"spikingbrain": SpikingBrainConfig, "gla_swa": GLAswaConfig}


def read_configuration(directory):
    """The config.json of an export. What this package does not train is an error."""
    file = Path(directory) / "config.json"
    keys = json.loads(file.read_text())
    kind = keys.get("model_type")
    refuse(kind not in LAYOUTS, f"{file}: model_type {kind!r}; expected one of {', '.join(LAYOUTS)}: models that are not "
                                "converted are trained by Megatron-LM as it is")
    model = LAYOUTS[kind](**keys)
    for key, others in (("quantization", None), ("spiking", None), ("norm_placement", "pre"), ("norm_add_one", False),
                        ("embedding_multiplier", 1.0), ("residual_multiplier", 1.0), ("logits_multiplier", 1.0),
                        ("final_logit_softcapping", None), ("norm_topk_prob", False)):
        refuse(getattr(model, key) != others, f"{file}: {key} {getattr(model, key)!r} cannot be trained here")
    refuse(model.qk_norm == "whole", f"{file}: norms over all channels of q and k cannot be trained here")
    refuse("moe" in model.ffn and model.mlp_bias, f"{file}: experts with biases cannot be trained here")
    return model


def transformer_config(model, **settings):
    """Megatron-core's configuration of `model`; `settings` are fields of it: ranks, types, recomputation."""
    experts = {}
    if "moe" in model.ffn:
        experts = {
            "num_moe_experts": model.num_experts, "moe_router_topk": model.num_experts_per_tok,
            "moe_layer_freq": [int(part == "moe") for part in model.ffn], "moe_ffn_hidden_size": model.expert_size,
            "moe_shared_expert_intermediate_size": model.shared_size if model.num_shared_experts else None,
            "moe_router_pre_softmax": True, "moe_router_dtype": "fp32", "moe_token_dispatcher_type": "alltoall",
            "moe_router_load_balancing_type": "aux_loss" if settings.get("moe_aux_loss_coeff") else "none"}
    return TransformerConfig(**{
        "num_layers": model.num_hidden_layers, "hidden_size": model.hidden_size,
        "ffn_hidden_size": model.intermediate_size, "num_attention_heads": model.num_attention_heads,
        "num_query_groups": model.num_key_value_heads, "kv_channels": model.head_dim, "normalization": "RMSNorm",
        "layernorm_epsilon": model.norm_eps, "add_bias_linear": model.mlp_bias, "gated_linear_unit": True,
        "activation_func": ACTIVATIONS[model.hidden_act], "hidden_dropout": 0.0, "attention_dropout": 0.0,
        "bias_activation_fusion": False, "bias_dropout_fusion": False, "masked_softmax_fusion": False,
        "apply_rope_fusion": False, "persist_layer_norm": False, "gradient_accumulation_fusion": False,
        "perform_initialization": False,  # every weight is loaded
        **experts, **settings})


def layer_specs(model, config):
    """What the layers of this pipeline rank are made of."""
    settings = [model.rotary(n) for n in range(model.num_hidden_layers)]
    rotary = [Rotary(setting) for setting in settings]
    rotary = [rotary[settings.index(setting)] for setting in settings]  # one for layers with the same setting
    linears = MLPSubmodules(linear_fc1=ColumnParallelLinear, linear_fc2=RowParallelLinear)
    dense = ModuleSpec(module=MLP, submodules=linears)
    experts = ModuleSpec(module=MoELayer, submodules=MoESubmodules(
        experts=ModuleSpec(module=SequentialMLP, submodules=linears),
        shared_experts=ModuleSpec(module=SharedExpertMLP, submodules=linears),
        router=functools.partial(SpikingBrainRouter, weighted=model.routing_weights == "softmax")))

    def layer(n):
        # Checkpoints have the names of fused modules, in which a norm is a part of the matrix behind it.
        names = {"input_layernorm.": "self_attention.linear_qkv.layer_norm_"}
        if model.ffn[n] == "dense":
            names["pre_mlp_layernorm."] = "mlp.linear_fc1.layer_norm_"
        return ModuleSpec(module=SpikingBrainLayer, submodules=TransformerLayerSubmodules(
            input_layernorm=LayerNorm, pre_mlp_layernorm=LayerNorm,
            self_attention=ModuleSpec(
                module=SpikingBrainAttention, params={"model": model, "rotary": rotary[n]}),
            self_attn_bda=get_bias_dropout_add, mlp=experts if model.ffn[n] == "moe" else dense,
            mlp_bda=get_bias_dropout_add, sharded_state_dict_keys_map=names))

    first, count = get_transformer_layer_offset(config), get_num_layers_to_build(config)
    return TransformerBlockSubmodules([layer(n) for n in range(first, first + count)], layer_norm=LayerNorm)


class SpikingBrainGPT(GPTModel):
    """GPTModel with sinks in front of every text, and a loss over the real vocabulary: its padding repeats a token."""

    def __init__(self, config, model, vocabulary_rows):
        self.sinks, self.vocabulary = model.num_sink_tokens, model.vocab_size
        super().__init__(
            config, layer_specs(model, config), vocab_size=vocabulary_rows,
            max_sequence_length=model.max_position_embeddings, position_embedding_type="none",
            pre_process=parallel_state.is_pipeline_first_stage(),
            post_process=parallel_state.is_pipeline_last_stage(),
            share_embeddings_and_output_weights=model.tie_word_embeddings, scatter_embedding_sequence_parallel=False)
        if self.pre_process and self.sinks:
            self.embedding.sink_embeddings = nn.Embedding(self.sinks, config.hidden_size, dtype=config.params_dtype)

    def embed(self, input_ids):
        """[sinks + T, B, H], of which a tensor rank has its part with sequence parallelism."""
        h = self.embedding(input_ids=input_ids, position_ids=None)
        if self.sinks:
            first = self.embedding.sink_embeddings.weight
            h = torch.cat((first[:, None].expand(-1, h.shape[1], -1).to(h.dtype), h))
        return scatter_to_sequence_parallel_region(h) if self.config.sequence_parallel else h

    def offsets(self, input_ids):
        """Token id + position [sinks + T, B] of the rank's tokens; a sink counts as token 0."""
        ids = nn.functional.pad(input_ids, (self.sinks, 0))
        offsets = (ids + torch.arange(ids.shape[1], device=ids.device)).t()
        if self.config.sequence_parallel:
            offsets = offsets.chunk(self.pg_collection.tp.size())[self.pg_collection.tp.rank()]
        return offsets.contiguous()

    def forward(self, input_ids, labels=None):
        """input_ids and labels [B, T] on every stage. Returns losses [B, T] in nats, logits without labels, or, on all
        stages but the last, what the next one reads."""
        h = self.embed(input_ids) if self.pre_process else None
        h = self.decoder(hidden_states=h, attention_mask=self.offsets(input_ids))
        if not self.post_process:
            return h
        weight = self.shared_embedding_or_output_weight() if self.share_embeddings_and_output_weights else None
        logits = self.output_layer(h, weight=weight)[0][self.sinks:]
        rows = logits.shape[-1]
        real = self.vocabulary - rows * self.pg_collection.tp.rank()
        if real < rows:
            padding = torch.arange(rows, device=logits.device) >= real
            logits = logits.masked_fill(padding, torch.finfo(logits.dtype).min)
        return logits.transpose(0, 1) if labels is None else self.compute_language_model_loss(labels, logits)


def build(model, config, vocabulary_rows, device):
    """The part of the model that this rank holds, its weights not yet set."""
    ranks = config.tensor_model_parallel_size
    for what, count, parts in (
            ("key/value heads", model.num_key_value_heads, ranks), ("padded rows of the vocabulary", vocabulary_rows, ranks),
            ("layers", model.num_hidden_layers, config.pipeline_model_parallel_size),
            ("experts", model.num_experts or config.expert_model_parallel_size, config.expert_model_parallel_size)):
        refuse(count % parts, f"{parts} ranks do not divide {count} {what}")
    network = SpikingBrainGPT(config, model, vocabulary_rows).to(device)
    # The norm of the gradient counts what is shared among the ranks on each of them, and Megatron-core marks weights as
    # shared only where it initialises them.
    for module in network.modules():
        axis = 1 if isinstance(module, RowParallelLinear) else 0
        if isinstance(module, (ColumnParallelLinear, RowParallelLinear, VocabParallelEmbedding)):
            if module.weight is not None and not hasattr(module.weight, "tensor_model_parallel"):
                set_tensor_model_parallel_attributes(module.weight, True, axis, 1)
    return network
