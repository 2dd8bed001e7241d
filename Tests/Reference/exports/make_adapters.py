"""Small adapters as PEFT saves them, for the models of Tests/Fixtures/sources: Tests/Fixtures/adapters.

Each directory has adapter_config.json, adapter_model.safetensors and golden.safetensors: the tokens of the model's own
golden file, the logits of the adapted model (not merged, float32), and weights that `merge_and_unload` gives.

    .venv/bin/python exports/make_adapters.py
"""
import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).resolve().parents[2] / "Fixtures"

# name: the model, the configuration, weights of the merged model to keep.
ADAPTERS = {
    # Fused projections; ranks and factors by patterns, scaled by the root of the rank; a head of its own.
    "phi3": ("phi3", dict(
        r=2, lora_alpha=6, use_rslora=True, target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
        rank_pattern={"o_proj": 3}, alpha_pattern={"^model.layers.1.mlp.down_proj": 5, "self_attn.o_proj": 4},
        modules_to_save=["lm_head", "norm"]),
        ["model.layers.0.self_attn.qkv_proj.weight", "model.layers.1.mlp.down_proj.weight",
         "model.layers.0.self_attn.o_proj.weight"]),
    # Biases that were trained along.
    "biases": ("granite", dict(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"], bias="all"),
               ["model.layers.1.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.bias"]),
    # A bias of the second matrix; another type.
    "lora-bias": ("granite", dict(r=3, lora_alpha=9, target_modules=["k_proj", "o_proj"], lora_bias=True),
                  ["model.layers.0.self_attn.k_proj.bias", "model.layers.1.self_attn.o_proj.weight"]),
    # The embedding, from which the head is no longer the same.
    "embedding": ("gemma2", dict(r=2, lora_alpha=3, target_modules=["embed_tokens", "up_proj"]),
                  ["model.layers.0.mlp.up_proj.weight"]),
}


def main():
    for name, (source, settings, kept) in ADAPTERS.items():
        directory = FIXTURES / "adapters" / name
        shutil.rmtree(directory, ignore_errors=True)
        base = AutoModelForCausalLM.from_pretrained(
            FIXTURES / "sources" / source, dtype=torch.float32, attn_implementation="eager")
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
        random = torch.Generator().manual_seed(11)
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter += 0.3 * torch.randn(parameter.shape, generator=random)
            tokens = load_file(FIXTURES / "sources" / source / "golden.safetensors")["tokens"]
            golden = {"tokens": tokens, "logits": model(tokens[None].long()).logits[0]}
        model.save_pretrained(directory)
        (directory / "README.md").unlink(missing_ok=True)
        path = directory / "adapter_config.json"
        config = json.loads(path.read_text()) | {"base_model_name_or_path": source}
        config |= {key: sorted(config[key]) for key in ("target_modules", "modules_to_save") if config[key]}
        path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
        weights = model.merge_and_unload().state_dict()
        save_file(golden | {key: weights[key].clone() for key in kept}, directory / "golden.safetensors")


if __name__ == "__main__":
    main()
