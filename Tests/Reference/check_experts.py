"""Experts against transformers: a random Qwen3-MoE, renamed to the `spikingbrain` layout, gives the same logits.

Qwen3-MoE with `norm_topk_prob` false routes as our layout does (softmax over all experts, the k likeliest, weighted
by their probabilities), has dense layers between, per-head norms on q and k, and no shared expert.
"""
import argparse
import json
import subprocess
from pathlib import Path

import torch
from safetensors.torch import load_file

from checkpoint_io import write_tensors
from spikingbrain_reference import SpikingBrain

LAYERS, EXPERTS, TOP_K, DENSE = 4, 6, 2, [1]
RENAMED = {"model.embed_tokens.": "model.embeddings.", ".input_layernorm.": ".attn_norm.",
           ".post_attention_layernorm.": ".mlp_norm.", ".self_attn.": ".attn."}


def build():
    """A random Qwen3-MoE model, float32."""
    from transformers import AutoModelForCausalLM, Qwen3MoeConfig

    config = Qwen3MoeConfig(
        vocab_size=320, hidden_size=64, intermediate_size=112, moe_intermediate_size=112, num_hidden_layers=LAYERS,
        num_attention_heads=4, num_key_value_heads=2, head_dim=24, num_experts=EXPERTS, num_experts_per_tok=TOP_K,
        norm_topk_prob=False, mlp_only_layers=DENSE, tie_word_embeddings=False, rms_norm_eps=1e-5,
        attn_implementation="eager")
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape)
            parameter.copy_(1 + 0.3 * noise if "norm" in name else 1.3 * noise * parameter.shape[-1] ** -0.5)
    return model


def tensors_of(model):
    """The model's tensors under our names; newer versions of transformers fuse the experts of a layer."""
    for name, value in model.state_dict().items():
        for old, new in RENAMED.items():
            name = name.replace(old, new)
        if name.endswith("mlp.experts.gate_up_proj"):
            for e in range(EXPERTS):
                gate, up = value[e].chunk(2, dim=0)
                yield name.replace("gate_up_proj", f"{e}.gate_proj.weight"), gate.clone()
                yield name.replace("gate_up_proj", f"{e}.up_proj.weight"), up.clone()
        elif name.endswith("mlp.experts.down_proj"):
            for e in range(EXPERTS):
                yield name.replace("down_proj", f"{e}.down_proj.weight"), value[e].clone()
        else:
            yield name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True, type=Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    model = build()
    write_tensors(options.work / "model.safetensors", dict(tensors_of(model)))
    theta = getattr(model.config, "rope_theta", None) or model.config.rope_parameters["rope_theta"]
    (options.work / "config.json").write_text(json.dumps({
        "model_type": "spikingbrain", "layout_version": 1, "vocab_size": 320, "hidden_size": 64, "head_dim": 24,
        "intermediate_size": 112, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2,
        "norm_eps": 1e-5, "rope_theta": theta, "rope_scaling": None, "sliding_window": 4096, "qk_norm": True,
        "qkv_bias": False, "o_proj_bias": False, "mlp_bias": False, "mixer": ["full"] * LAYERS,
        "ffn": ["dense" if n in DENSE else "moe" for n in range(LAYERS)], "num_experts": EXPERTS,
        "num_experts_per_tok": TOP_K, "norm_topk_prob": False, "tie_word_embeddings": False}))
    tokens = [(7919 * n + 17) % 320 for n in range(1, 41)]
    with torch.no_grad():
        expected = model(torch.tensor([tokens])).logits[0]
    failed = False
    for stepwise in ([], ["--stepwise"]):
        subprocess.run([options.program, "logits", options.work, "--tokens", ",".join(map(str, tokens)), "--output",
                        options.work / "logits.st", "--quiet", *stepwise], check=True, stdout=subprocess.DEVNULL)
        got = load_file(options.work / "logits.st")["logits"]
        difference = ((got - expected).abs().max() / expected.abs().max()).item()
        failed |= not difference < 1e-5
        print("FAIL" if difference >= 1e-5 else "ok", "program", *stepwise, f"{difference:.1e}")
    own = SpikingBrain(options.work).run(tokens)["logits"]
    print("reference", f"{((own - expected).abs().max() / expected.abs().max()).item():.1e}")
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
