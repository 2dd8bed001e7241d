"""Source architectures that are not like Llama, written and run by transformers: Tests/Fixtures/sources.

For each a directory as `save_pretrained` writes it, of random weights, norms included, with the tokens, the logits
and the last residual stream beside them in `golden.safetensors`. Variants have the same weights and are run with a
configuration that is changed: `golden-VARIANT.safetensors`. Models of several parts are whole, with parts for images
that are as small as can be, and are run on text.

    .venv/bin/python make_source_fixtures.py
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
from transformers.utils import logging

import source_logits
from checkpoint_io import write_tensors
from make_logits_fixtures import pseudo_random_tokens

FIXTURES = Path(__file__).resolve().parent.parent / "Fixtures/sources"
TOKENS = 24

COMMON = dict(vocab_size=64, hidden_size=32, intermediate_size=24, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)
LAYERS = ["sliding_attention", "full_attention", "sliding_attention"]
PARTIAL = {"rope_theta": 500.0, "rope_type": "default", "partial_rotary_factor": 0.75}

# kind: settings beyond COMMON.
KINDS = {
    "phi3": dict(num_hidden_layers=2, rms_norm_eps=1e-5, rope_parameters=PARTIAL),
    # head_dim, query_pre_attn_scalar and hidden_size / heads are three numbers; small caps, so that they bend.
    "gemma2": dict(num_hidden_layers=2, head_dim=12, query_pre_attn_scalar=10, sliding_window=7,
                   attn_logit_softcapping=3.0, final_logit_softcapping=15.0),
    "olmo2": dict(num_hidden_layers=2, rope_parameters={"rope_theta": 500.0, "rope_type": "default"}),
    "granite": dict(num_hidden_layers=2, embedding_multiplier=3.0, residual_multiplier=0.22, attention_multiplier=0.3,
                    logits_scaling=0.5, attention_bias=True),
    # A local and a global base, the latter scaled; head_dim, the scalar and hidden_size / heads are three numbers.
    "gemma3_text": dict(num_hidden_layers=3, head_dim=12, query_pre_attn_scalar=10, sliding_window=7,
                        final_logit_softcapping=15.0, layer_types=LAYERS, rope_parameters={
                            "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0},
                            "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}}),
    "qwen3_moe": dict(num_hidden_layers=3, head_dim=12, moe_intermediate_size=20, num_experts=5, num_experts_per_tok=2,
                      norm_topk_prob=True, mlp_only_layers=[1]),
    "mixtral": dict(num_hidden_layers=2, num_local_experts=3, num_experts_per_tok=2, sliding_window=7),
    "olmoe": dict(num_hidden_layers=2, num_experts=4, num_experts_per_tok=3),
    "smollm3": dict(num_hidden_layers=3, no_rope_layers=[1, 0, 1], rope_parameters={
        "rope_theta": 500.0, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
    "olmo3": dict(num_hidden_layers=3, sliding_window=7, layer_types=LAYERS, rope_parameters={
        "full_attention": {"rope_theta": 500.0, "rope_type": "yarn", "factor": 4.0, "beta_fast": 4.0, "beta_slow": 0.5,
                           "original_max_position_embeddings": 16, "attention_factor": 1.2},
        "sliding_attention": {"rope_theta": 500.0, "rope_type": "default"}}),
    "ministral": dict(num_hidden_layers=3, head_dim=12, sliding_window=7, layer_types=LAYERS),
    "ministral3": dict(num_hidden_layers=2, head_dim=12, rope_parameters={
        "rope_type": "yarn", "rope_theta": 500.0, "factor": 16.0, "original_max_position_embeddings": 24,
        "beta_fast": 32.0, "beta_slow": 1.0, "mscale_all_dim": 0.5, "mscale": 1.0, "llama_4_scaling_beta": 0.1}),
    "seed_oss": dict(num_hidden_layers=2, head_dim=12, attention_out_bias=True),
    # As Granite, which computes the same: what changes is the spelling, below.
    "minicpm": dict(num_hidden_layers=2, embedding_multiplier=3.0, residual_multiplier=1.4 / 2 ** 0.5,
                    attention_multiplier=8 ** -0.5, logits_scaling=4.0),
}
# What transformers has no class for: the class that computes the same, and the other keys for its own.
CLASSES = {"minicpm": ("granite", {
    "embedding_multiplier": ("scale_emb", 3.0), "residual_multiplier": ("scale_depth", 1.4),
    "logits_scaling": ("dim_model_base", 8), "attention_multiplier": None})}
# kind: variant: what is changed.
VARIANTS = {
    "phi3": {"window": dict(sliding_window=7, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}),
             # Phi-4-mini: a text of the original length.
             "longrope": dict(original_max_position_embeddings=24, max_position_embeddings=96, rope_parameters={
                 **PARTIAL, "rope_type": "longrope", "short_factor": [1.0, 1.1, 1.3],
                 "long_factor": [1.5, 2.5, 3.5]})},
    "qwen3_moe": {"plain": dict(norm_topk_prob=False, use_sliding_window=True, sliding_window=7)},
    "gemma2": {"plain": dict(attn_logit_softcapping=None, final_logit_softcapping=None, query_pre_attn_scalar=12,
                             hidden_activation="gelu", layer_types=["full_attention", "sliding_attention"])},
}
# Models of several parts: the configuration of the language model beyond COMMON, and of the part for images.
QWEN_VISION = dict(depth=1, hidden_size=8, num_heads=2, intermediate_size=8, patch_size=2, in_channels=1,
                   temporal_patch_size=1, spatial_merge_size=1, out_hidden_size=32)
PARTS = {
    "qwen2_5_vl": (dict(num_hidden_layers=2, rope_parameters={
        "rope_theta": 500.0, "rope_type": "default", "mrope_section": [1, 2, 1]}), QWEN_VISION),
    "qwen3_vl": (dict(num_hidden_layers=2, head_dim=12, rope_parameters={
        "rope_theta": 500.0, "rope_type": "default", "mrope_section": [2, 2, 2], "mrope_interleaved": True}),
        {**QWEN_VISION, "num_position_embeddings": 4, "deepstack_visual_indexes": [0]}),
    # Its class leaves out the cap of logits that the class of the language model has.
    "gemma3": ({**KINDS["gemma3_text"], "final_logit_softcapping": None}, dict(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=4, patch_size=2,
        num_channels=1)),
    "mistral3": (dict(model_type="ministral3", **KINDS["ministral3"]), dict(
        model_type="pixtral", hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        image_size=4, patch_size=2, num_channels=1)),
}


def build_whole(model_type):
    """A model of several parts."""
    text, vision = PARTS[model_type]
    extra = {"mm_tokens_per_image": 4} if model_type == "gemma3" else {}
    config = AutoConfig.for_model(
        model_type, text_config={**COMMON, **text}, vision_config=vision, tie_word_embeddings=False, **extra)
    return randomise(model_type, AutoModelForImageTextToText.from_config(
        config, dtype=torch.float32, attn_implementation="eager"))


def save_whole(model_type):
    """A model of several parts, and the logits of a text."""
    model, directory = build_whole(model_type), FIXTURES / model_type
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    tokens = pseudo_random_tokens(TOKENS, COMMON["vocab_size"])
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    write_tensors(directory / "golden.safetensors", {
        "tokens": torch.tensor(tokens, dtype=torch.int32), "logits": logits.float().contiguous()})
    print(model_type, f"largest logit {logits.abs().max():.3f}")


def build(model_type, changes):
    """The model, float32, all parameters random."""
    settings = {**COMMON, **KINDS[model_type], **changes}
    config = AutoConfig.for_model(CLASSES.get(model_type, (model_type,))[0], **settings)
    return randomise(model_type, AutoModelForCausalLM.from_config(
        config, dtype=torch.float32, attn_implementation="eager"))


def randomise(model_type, model):
    """`model` with all its parameters random."""
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if "norm" in name:
                parameter.copy_((0 if model_type.startswith("gemma") else 1) + 0.3 * noise)
            elif "embed_tokens" in name:
                parameter.copy_(0.5 * noise)
            else:
                parameter.copy_(1.3 * noise * parameter.shape[-1] ** -0.5)
    return model.eval()


def respell(kind, path):
    """Gives the configuration of a class that stands in for another the keys of that."""
    _, keys = CLASSES.get(kind, (kind, {}))
    if keys:
        config = json.loads(path.read_text(encoding="utf-8"))
        for old, new in keys.items():
            del config[old]
            config.update(dict([new]) if new else {})
        path.write_text(json.dumps({**config, "model_type": kind}, indent=2) + "\n", encoding="utf-8")


def save(path, model):
    """Tokens, logits and the last residual stream of `model`."""
    tokens = pseudo_random_tokens(TOKENS, COMMON["vocab_size"])
    result = source_logits.run(model, tokens)
    last = max(int(key.split(".")[1]) for key in result if key.startswith("hidden."))
    write_tensors(path, {
        "tokens": torch.tensor(tokens, dtype=torch.int32), "logits": result["logits"],
        "hidden": result[f"hidden.{last}"].float()})
    print(path.parent.name, path.name, f"largest logit {result['logits'].abs().max():.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="the kind of one fixture")
    only = parser.parse_args().only
    logging.disable_progress_bar()
    torch.set_num_threads(2)
    for kind in PARTS:
        if only in (None, kind):
            save_whole(kind)
    for kind in KINDS:
        if only not in (None, kind):
            continue
        directory = FIXTURES / kind
        shutil.rmtree(directory, ignore_errors=True)
        build(kind, {}).save_pretrained(directory)
        respell(kind, directory / "config.json")
        (directory / "generation_config.json").unlink(missing_ok=True)
        save(directory / "golden.safetensors", build(kind, {}))
        for variant, changes in VARIANTS.get(kind, {}).items():
            save(directory / f"golden-{variant}.safetensors", build(kind, changes))


if __name__ == "__main__":
    main()
