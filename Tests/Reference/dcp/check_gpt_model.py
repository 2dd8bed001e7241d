"""Loads an export of the profile megatron-dist into megatron-core's GPTModel on the CPU, as Megatron
does, and compares its logits with those of `transformers` for the source.

    check_gpt_model.py SOURCE EXPORT

For dense models with full attention; layers without Transformer Engine, whose distributed keys are the
same. What the model is comes from `args` in the export alone.
"""

import argparse
import contextlib
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationMixin  # noqa: F401, before Megatron, which changes torch

warnings.simplefilter("ignore")
torch.cuda.Stream = lambda *more, **named: None
torch.cuda.current_device = lambda: torch.device("cpu")

from megatron.core import dist_checkpointing, parallel_state  # noqa: E402
from megatron.core.models.gpt import GPTModel  # noqa: E402
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec  # noqa: E402
from megatron.core.tensor_parallel.random import CudaRNGStatesTracker  # noqa: E402
from megatron.core.transformer import TransformerConfig  # noqa: E402

# No dropout, and no GPU whose random states could be kept.
CudaRNGStatesTracker.fork = lambda self, name=None: contextlib.nullcontext()

LIMIT = 1e-4


def megatron_model(folder):
    torch.serialization.add_safe_globals([argparse.Namespace])
    args = dist_checkpointing.load_common_state_dict(str(folder))["args"]
    config = TransformerConfig(
        num_layers=args.num_layers, hidden_size=args.hidden_size,
        ffn_hidden_size=args.ffn_hidden_size, num_attention_heads=args.num_attention_heads,
        num_query_groups=args.num_query_groups, kv_channels=args.kv_channels,
        add_bias_linear=args.add_bias_linear, add_qkv_bias=args.add_qkv_bias,
        qk_layernorm=args.qk_layernorm, gated_linear_unit=args.swiglu,
        activation_func=torch.nn.functional.silu, normalization=args.normalization,
        layernorm_epsilon=args.norm_epsilon, hidden_dropout=args.hidden_dropout,
        attention_dropout=args.attention_dropout, use_cpu_initialization=True,
        params_dtype=torch.float32, bias_activation_fusion=False, masked_softmax_fusion=False,
        bias_dropout_fusion=False, apply_rope_fusion=False, persist_layer_norm=False)
    spec = get_gpt_layer_local_spec(
        normalization=args.normalization, qk_layernorm=args.qk_layernorm)
    model = GPTModel(
        config, spec, vocab_size=args.padded_vocab_size,
        max_sequence_length=args.max_position_embeddings,
        position_embedding_type=args.position_embedding_type, rotary_base=args.rotary_base,
        share_embeddings_and_output_weights=not args.untie_embeddings_and_output_weights)
    group = parallel_state.get_data_parallel_group(with_context_parallel=True)
    metadata = dist_checkpointing.load_content_metadata(str(folder)) or {}
    wanted = model.sharded_state_dict(metadata={**metadata, "dp_cp_group": group})
    loaded = dist_checkpointing.load(wanted, str(folder))
    # common.pt comes along: arguments and counters.
    for key in ("args", "checkpoint_version", "iteration", "content_metadata"):
        loaded.pop(key, None)
    model.load_state_dict(loaded, strict=True)
    return model.eval(), args


def main():
    source, export = Path(sys.argv[1]), Path(sys.argv[2])
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tempfile.mktemp()}", rank=0, world_size=1)
    parallel_state.initialize_model_parallel(1, 1)
    model, args = megatron_model(export / "release")
    reference = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    torch.manual_seed(0)
    tokens = torch.randint(0, args.vocab_size, (1, 48))
    count = tokens.shape[1]
    mask = torch.triu(torch.ones(count, count, dtype=torch.bool), 1)[None, None]
    with torch.no_grad():
        theirs = model(tokens, torch.arange(count)[None], mask)[..., :args.vocab_size]
        ours = reference(tokens).logits
    difference = ((theirs - ours).abs().max() / ours.abs().max()).item()
    print(f"logits of GPTModel and transformers differ by {difference:.1e} of the largest")
    sys.exit(difference > LIMIT)


main()
