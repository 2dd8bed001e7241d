"""Shared helpers: tensors in and out, source checkpoints in transformers, GGUF files by hand."""
import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def parse_ids(text):
    """'1,2,3' -> [1, 2, 3]."""
    return [int(part) for part in text.split(",") if part.strip()]


def read_config(directory):
    """config.json of a Hugging Face directory."""
    return json.loads((Path(directory) / "config.json").read_text(encoding="utf-8"))


def write_tensors(path, tensors):
    """One safetensors file, marked as PyTorch's."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.detach().contiguous() for name, t in tensors.items()}, str(path), metadata={"format": "pt"})


class TensorFiles:
    """The tensors of a directory (one file, or shards with an index), which remembers who was asked for."""

    def __init__(self, directory):
        directory = Path(directory)
        index = directory / "model.safetensors.index.json"
        if index.exists():
            where = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        else:
            where = None
        names = sorted(set(where.values())) if where else ["model.safetensors"]
        files = {name: safe_open(str(directory / name), "pt") for name in names}
        self.place = {}
        for file_name, handle in files.items():
            for key in handle.keys():
                assert key not in self.place, f"{key} is in two files"
                assert where is None or where.get(key) == file_name, f"{key}: the index disagrees with {file_name}"
                self.place[key] = handle
        assert where is None or set(where) == set(self.place), "the index names tensors that no file holds"
        self.asked = set()

    def __contains__(self, name):
        return name in self.place

    def __iter__(self):
        return iter(self.place)

    def take(self, name, shape=None):
        """The tensor `name`, in its stored type; its shape is checked when given."""
        assert name in self.place, f"missing tensor {name}"
        self.asked.add(name)
        tensor = self.place[name].get_tensor(name)
        found = list(tensor.shape)
        assert shape is None or found == list(shape), f"{name}: {found}, expected {list(shape)}"
        return tensor

    def assert_all_used(self):
        """Every tensor in the files must have been taken."""
        assert self.asked == set(self.place), f"unused tensors: {sorted(set(self.place) - self.asked)}"


def rope_of(config):
    """(theta, scaling) from a transformers 4 or 5 config: `rope_theta` + `rope_scaling`, or `rope_parameters`."""
    new = config.get("rope_parameters") or {}
    theta = new.get("rope_theta", config.get("rope_theta", 10000.0))
    scaling = {k: v for k, v in (new or config.get("rope_scaling") or {}).items() if k != "rope_theta"}
    kind = scaling.pop("type", None)
    scaling.setdefault("rope_type", kind or "default")
    return float(theta), None if scaling["rope_type"] == "default" else scaling


# GGUF, read with the gguf package alone -------------------------------------------------------------------------

GGUF_LAYER_NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
GGUF_TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def unpermute(weight, heads):
    """Undo the row order that llama-architecture GGUF files use for interleaved RoPE (weights and biases)."""
    half = weight.shape[0] // heads // 2
    return weight.reshape(heads, half, 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def read_gguf(path):
    """(config, tensors): a source config and float32 tensors under Hugging Face names."""
    import gguf

    reader = gguf.GGUFReader(str(path))
    meta = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("tokenizer.ggml.")}
    arch = meta["general.architecture"]
    assert arch in ("llama", "qwen2", "qwen3"), f"architecture {arch}"

    def key(name, default=None):
        return meta.get(f"{arch}.{name}", default)

    tensors, factors = {}, None
    for item in reader.tensors:
        value = torch.from_numpy(gguf.dequantize(item.data, item.tensor_type).copy()).float()
        if item.name == "rope_freqs.weight":
            factors = value.tolist()
            continue
        stem, suffix = item.name.rsplit(".", 1)
        if stem.startswith("blk."):
            _, number, role = stem.split(".")
            if arch == "llama" and role in ("attn_q", "attn_k"):
                value = unpermute(value, key("attention.head_count" if role == "attn_q" else "attention.head_count_kv"))
            name = f"model.layers.{number}.{GGUF_LAYER_NAMES[role]}.{suffix}"
        else:
            name = f"{GGUF_TOP_NAMES[stem]}.{suffix}"
        tensors[name] = value
    heads, hidden = key("attention.head_count"), key("embedding_length")
    config = {
        "model_type": arch, "hidden_act": "silu", "hidden_size": hidden,
        "intermediate_size": key("feed_forward_length"), "num_hidden_layers": key("block_count"),
        "num_attention_heads": heads, "num_key_value_heads": key("attention.head_count_kv", heads),
        "head_dim": key("attention.key_length", hidden // heads),
        "rms_norm_eps": key("attention.layer_norm_rms_epsilon"),
        "vocab_size": tensors["model.embed_tokens.weight"].shape[0], "max_position_embeddings": key("context_length"),
        "rope_theta": key("rope.freq_base", 10000.0), "tie_word_embeddings": "lm_head.weight" not in tensors,
        "rope_scaling": {"rope_type": "factors", "factors": factors} if factors else None,
    }
    for name in ("bos", "eos"):
        field = reader.fields.get(f"tokenizer.ggml.{name}_token_id")
        config[f"{name}_token_id"] = field.contents() if field else None
    return config, tensors


# Source checkpoints in transformers ------------------------------------------------------------------------------

def load_source(path):
    """A source checkpoint (directory or .gguf) as a transformers model: CPU, float32, eager attention."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()

    path = Path(path)
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    if path.suffix == ".gguf":
        config, tensors = read_gguf(path)
        assert config["rope_scaling"] is None, "transformers ignores rope_freqs.weight: run the converted model instead"
        model = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, **options)
    else:
        tensors = None
        model, report = AutoModelForCausalLM.from_pretrained(str(path), output_loading_info=True, **options)
        for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            assert not report[problem], f"{problem}: {report[problem]}"
    for name, value in (tensors or {}).items():  # the library's GGUF loader has had quirks: believe it only if equal
        assert torch.equal(model.state_dict()[name], value), f"{name}: transformers and gguf disagree"
    return model.eval()


def is_spikingbrain(path):
    """True for the directories that spikingbrain_reference.py runs."""
    config = Path(path) / "config.json"
    return config.exists() and read_config(path).get("model_type") in ("gla_swa", "spikingbrain")
