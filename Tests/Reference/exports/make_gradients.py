"""Golden gradients of the modelling code (formats/spikingbrain/transformers): Tests/Fixtures/healing/modelling.

A small random model with a layer of every mixer and sinks, as config.json and model.safetensors, and golden.safetensors:
tokens of two texts, a random final stream of a teacher with the same head, and from PyTorch's autograd in float64 the
mean divergence of the model's predictions from the teacher's and its gradients for everything that heal trains.
ModellingGradientTests.swift reads it.

    .venv/bin/python exports/make_gradients.py
"""
import json
import shutil
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[3]
CODE = ROOT / "formats/spikingbrain/transformers"
OUTPUT = ROOT / "Tests/Fixtures/healing/modelling"
TEXTS, LENGTH = 2, 9
MIXERS = ["gla", "window", "full", "parallel", "parallel-full"]
CONFIG = {
    "architectures": ["SpikingBrainForCausalLM"], "model_type": "spikingbrain", "layout_version": 1, "vocab_size": 24,
    "hidden_size": 16, "num_hidden_layers": len(MIXERS), "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 6, "intermediate_size": 20, "hidden_act": "swish", "max_position_embeddings": 512, "norm_eps": 1e-5,
    "rope_theta": 1000.0, "rope_scaling": None, "sliding_window": 3, "window_rule": "flash", "mixer": MIXERS,
    "ffn": ["dense"] * len(MIXERS), "qk_norm": True, "qkv_bias": True, "o_proj_bias": True, "mlp_bias": False,
    "gate_low_rank_dim": 16, "num_sink_tokens": 3, "branch_norm_eps": 0.01, "bos_token_id": 1, "eos_token_id": 2,
    "tie_word_embeddings": False, "torch_dtype": "float32",
}
FACTORS = torch.tensor([0.5, 2.0])  # of the branches; the norms that heal trains contain them


def build(directory):
    """The model in float64, its parameters as float32 can hold them."""
    for file in CODE.glob("*.py"):
        shutil.copy(file, directory)
    auto_map = {"AutoConfig": "configuration_spikingbrain.SpikingBrainConfig",
                "AutoModelForCausalLM": "modeling_spikingbrain.SpikingBrainForCausalLM"}
    Path(directory, "config.json").write_text(json.dumps(CONFIG | {"auto_map": auto_map}))
    config = AutoConfig.from_pretrained(directory, trust_remote_code=True)
    model = AutoModelForCausalLM.from_config(config, trust_remote_code=True).double()
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if name.endswith("branch_scale"):
                noise = FACTORS
            elif "norm" in name:
                noise = 1 + 0.3 * noise
            elif noise.dim() == 2 and "embeddings" not in name and "sink" not in name:
                noise = noise * noise.shape[1] ** -0.5
            else:
                noise = 0.5 * noise
            parameter.copy_(noise.double())
    return model.train(), random


def main():
    with tempfile.TemporaryDirectory() as directory:
        model, random = build(directory)
    tokens = torch.randint(0, CONFIG["vocab_size"], (TEXTS, LENGTH), generator=random)
    stream = torch.randn(TEXTS, LENGTH, CONFIG["hidden_size"], generator=random)
    with torch.no_grad():
        target = model.lm_head(model.model.norm(stream.double())).log_softmax(-1)
    found = model(tokens).logits.log_softmax(-1)
    loss = F.kl_div(found, target, log_target=True, reduction="sum") / tokens.numel()
    loss.backward()
    golden = {"tokens": tokens.flatten().int(), "source": stream.flatten(0, 1), "loss": loss.detach().float()[None]}
    for name, parameter in model.named_parameters():
        if ".attn." not in name or name.endswith(("branch_scale", "q_norm.weight", "k_norm.weight", "o_proj.bias")):
            continue
        gradient = parameter.grad
        for branch, factor in zip(("la_norm", "sa_norm"), FACTORS):
            if branch in name:
                gradient = gradient / factor.double()
        golden[f"gradient.{name}"] = gradient.float().contiguous()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    (OUTPUT / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    save_file({name: x.float().contiguous() for name, x in model.state_dict().items()}, OUTPUT / "model.safetensors",
              metadata={"format": "pt"})
    save_file(golden, OUTPUT / "golden.safetensors")


if __name__ == "__main__":
    main()
