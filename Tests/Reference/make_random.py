"""Small, randomly initialised source models, written by transformers itself.

Every parameter is random, norms and biases included: ones and zeros would hide a swapped or forgotten tensor.
"""
import argparse
import json
from pathlib import Path

import torch

from checkpoint_io import DTYPES

COMMON = dict(vocab_size=320, hidden_size=64, intermediate_size=112, num_hidden_layers=4, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 256}

# kind: (model type, settings beyond COMMON). Odd sizes of depth on purpose.
KINDS = {
    "qwen2": ("qwen2", dict(tie_word_embeddings=False, rope_theta=1e6, rms_norm_eps=1e-6)),
    "qwen2-tied": ("qwen2", dict(tie_word_embeddings=True, num_hidden_layers=3)),
    "qwen3": ("qwen3", dict(tie_word_embeddings=False, head_dim=24, rope_theta=1e6)),
    "mistral": ("mistral", dict(sliding_window=8, rms_norm_eps=1e-5)),
    "llama": ("llama", dict(rms_norm_eps=1e-5)),
    "llama-bias": ("llama", dict(attention_bias=True, mlp_bias=True)),
    "llama-rope-llama3": ("llama", dict(rope_scaling=LLAMA3, rope_theta=5e5)),
    "llama-rope-linear": ("llama", dict(rope_scaling={"rope_type": "linear", "factor": 3.0})),
    "llama-mha": ("llama", dict(num_key_value_heads=4, num_hidden_layers=3, tie_word_embeddings=True)),
}


def build(kind, seed):
    """The model of `kind`, float32, all parameters drawn from `seed`."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()

    model_type, settings = KINDS[kind]
    settings = {**COMMON, "rope_theta": 10000.0, **settings}
    rope = {"rope_theta": settings.pop("rope_theta"), "rope_type": "default", **settings.pop("rope_scaling", {})}
    config = AutoConfig.for_model(model_type, rope_parameters=rope, **settings)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            elif "norm" in name:
                parameter.copy_(1 + 0.3 * noise)
            elif "embed_tokens" in name:
                parameter.copy_(0.5 * noise)
            else:
                parameter.copy_(1.3 * noise * parameter.shape[-1] ** -0.5)
    return model


def rewrite_config(directory):
    """Give config.json the keys that transformers 4 wrote, without the optional ones."""
    path = Path(directory) / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    if config.get("head_dim") == config["hidden_size"] // config["num_attention_heads"]:
        del config["head_dim"]
    if config["num_key_value_heads"] == config["num_attention_heads"]:
        del config["num_key_value_heads"]
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def make(kind, output, seed=0, sharded=False, dtype="float32", old_config=False):
    """Write one model."""
    model = build(kind, seed).to(DTYPES[dtype])
    model.save_pretrained(output, max_shard_size="150KB" if sharded else "5GB")
    if old_config:
        rewrite_config(output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sharded", action="store_true", help="several files and an index")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32")
    parser.add_argument("--old-config", action="store_true", help="config.json as transformers 4 wrote it")
    options = parser.parse_args()
    make(options.kind, options.output, options.seed, options.sharded, options.dtype, options.old_config)


if __name__ == "__main__":
    main()
