"""Opens an export of the profile megatron-dist with torch.distributed.checkpoint and, where it is
installed, with megatron-core, and compares every tensor with what Megatron's conventions make of the
source. Written from the conventions, not from the program.

    check_dcp.py SOURCE EXPORT [--tp 1 2 4]

SOURCE is a directory of safetensors: Hugging Face's Llama and Qwen names, or ours with linear layers,
experts, parallel branches and sinks. Nothing runs in parallel: ranks are asked for one by one.
"""

import argparse
import json
import math
import tempfile
import warnings
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from safetensors import safe_open
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.metadata import BytesStorageMetadata

warnings.simplefilter("ignore")


class Source:
    """A model directory, by role."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = {}
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as opened:
                self.tensors.update({name: opened.get_tensor(name) for name in opened.keys()})
        c = self.config
        self.layers = c["num_hidden_layers"]
        self.heads = c["num_attention_heads"]
        self.groups = c.get("num_key_value_heads", self.heads)
        self.used = set()

    def take(self, *names):
        for name in names:
            if name in self.tensors:
                self.used.add(name)
                return self.tensors[name]
        return None

    def layer(self, number, *names):
        return self.take(*(f"model.layers.{number}.{name}" for name in names))


def packed(q, k, v, groups):
    """Queries of a group, its key, its value; group after group."""
    parts = []
    for q, k, v in zip(q.chunk(groups), k.chunk(groups), v.chunk(groups)):
        parts += [q, k, v]
    return torch.cat(parts)


def layer_tensors(source, n):
    """Name behind decoder.layers.N. -> tensor, or a list of them, one per expert."""
    out = {}
    norm = source.layer(n, "input_layernorm.weight", "attn_norm.weight")
    out["self_attention.linear_qkv.layer_norm_weight"] = norm
    for kind in ["weight", "bias"]:
        q, k, v = (source.layer(n, f"self_attn.{x}_proj.{kind}", f"attn.{x}_proj.{kind}")
                   for x in "qkv")
        if q is not None:
            out[f"self_attention.linear_qkv.{kind}"] = packed(q, k, v, source.groups)
        o = source.layer(n, f"self_attn.o_proj.{kind}", f"attn.o_proj.{kind}")
        if o is not None:
            out[f"self_attention.linear_proj.{kind}"] = o
    for theirs, ours in [
        ("q_layernorm.weight", "q_norm.weight"), ("k_layernorm.weight", "k_norm.weight"),
        ("gk_proj.0.weight", "gk_proj.0.weight"), ("gk_proj.1.weight", "gk_proj.1.weight"),
        ("gk_proj.1.bias", "gk_proj.1.bias"), ("gk_proj.weight", "gk_proj.weight"),
        ("gk_proj.bias", "gk_proj.bias"), ("g_norm.weight", "g_norm.weight"),
        ("la_norm.weight", "la_norm.weight"), ("sa_norm.weight", "sa_norm.weight"),
        ("branch_scale", "branch_scale"),
    ]:
        found = source.layer(n, "self_attn." + ours, "attn." + ours)
        if found is not None:
            out["self_attention." + theirs] = found
    norm = source.layer(n, "post_attention_layernorm.weight", "mlp_norm.weight")
    router = source.layer(n, "mlp.gate.weight")

    def feed_forward(prefix):
        gate, up, down = (source.layer(n, f"{prefix}.{x}_proj.weight")
                          for x in ["gate", "up", "down"])
        return None if gate is None else (torch.cat([gate, up]), down)

    if router is None:
        out["mlp.linear_fc1.layer_norm_weight"] = norm
        out["mlp.linear_fc1.weight"], out["mlp.linear_fc2.weight"] = feed_forward("mlp")
        return out
    out["pre_mlp_layernorm.weight"] = norm
    out["mlp.router.weight"] = router
    experts = [feed_forward(f"mlp.experts.{e}") for e in range(router.shape[0])]
    out["mlp.experts.experts.linear_fc1.weight"] = torch.stack([e[0] for e in experts])
    out["mlp.experts.experts.linear_fc2.weight"] = torch.stack([e[1] for e in experts])
    shared = feed_forward("mlp.shared_expert")
    if shared is not None:
        out["mlp.shared_experts.linear_fc1.weight"] = shared[0]
        out["mlp.shared_experts.linear_fc2.weight"] = shared[1]
    return out


def expected(source, tensor_ranks):
    """Key -> whole tensor; whether layers share keys."""
    embedding = source.take("model.embed_tokens.weight", "model.embeddings.weight")
    multiple = 128 * tensor_ranks
    rows = math.ceil(embedding.shape[0] / multiple) * multiple

    def padded(matrix):
        return torch.cat([matrix, matrix[-1:].expand(rows - matrix.shape[0], -1)])

    out = {"embedding.word_embeddings.weight": padded(embedding)}
    sinks = source.take("model.sink_tokens")
    if sinks is not None:
        out["embedding.sink_embeddings.weight"] = sinks
    layers = [layer_tensors(source, n) for n in range(source.layers)]
    # Only softmax attention and dense layers everywhere are alike.
    stacked = all(
        not any(x in name for name in layer for x in ["gk_proj", "la_norm", "router"])
        for layer in layers)
    if stacked:
        for name in layers[0]:
            out["decoder.layers." + name] = torch.stack([layer[name] for layer in layers])
    else:
        for n, layer in enumerate(layers):
            out.update({f"decoder.layers.{n}.{name}": value for name, value in layer.items()})
    out["decoder.final_layernorm.weight"] = source.take("model.norm.weight")
    head = source.take("lm_head.weight")
    if head is not None and not source.config.get("tie_word_embeddings", False):
        out["output_layer.weight"] = padded(head)
    return out, stacked


def extra_states(tensors, stacked, layers):
    """The objects that Transformer Engine's modules ask for."""
    out = set()
    for key, value in tensors.items():
        if not key.endswith(tuple(f"{m}.weight" for m in [
                "linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"])):
            continue
        module = key[:-len("weight")] + "_extra_state/shard_"
        if stacked:
            out |= {f"{module}{n}_{layers}" for n in range(layers)}
        elif "experts.experts" in key:
            out |= {f"{module}{e}_{len(value)}" for e in range(len(value))}
        else:
            out.add(module + "0_1")
    return out


def check_torch(folder, tensors, objects):
    reader = FileSystemReader(folder)
    metadata = reader.read_metadata()
    entries = metadata.state_dict_metadata
    found = {k for k, v in entries.items() if isinstance(v, BytesStorageMetadata)}
    assert found == objects, sorted(found ^ objects)[:5]
    names = set(entries) - found
    assert names == set(tensors), sorted(names ^ set(tensors))[:5]
    for key, value in tensors.items():
        assert entries[key].properties.dtype == value.dtype, key
        assert entries[key].size == value.shape, (key, entries[key].size, value.shape)
    assert getattr(metadata, "mcore_data", {}) == {}
    state = {key: torch.full_like(value, 77) for key, value in tensors.items()}
    dcp.load(state, storage_reader=FileSystemReader(folder), no_dist=True)
    for key, value in tensors.items():
        assert torch.equal(state[key], value), key
    with tempfile.TemporaryDirectory() as scratch:
        from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
        dcp_to_torch_save(str(folder), scratch + "/whole.pt")
        whole = torch.load(scratch + "/whole.pt", weights_only=True)
        for key, value in tensors.items():
            assert torch.equal(whole[key], value), key
    chunks = sum(len(entries[key].chunks) for key in tensors)
    print(f"torch {torch.__version__}: {len(tensors)} tensors in {chunks} chunks equal, "
          f"{len(objects)} objects")


def axis_of(key):
    """The dimension, counted without the leading ones, that tensor ranks cut; None: not cut."""
    for name, axis in [("word_embeddings.weight", 0), ("output_layer.weight", 0),
                       ("linear_qkv.weight", 0), ("linear_qkv.bias", 0), ("linear_fc1.weight", 0),
                       ("gk_proj.1.weight", 0), ("gk_proj.1.bias", 0), ("gk_proj.weight", 0),
                       ("gk_proj.bias", 0), ("la_norm.weight", 0), ("sa_norm.weight", 0),
                       ("linear_proj.weight", 1), ("linear_fc2.weight", 1)]:
        if key.endswith(name):
            return axis
    return None


def check_megatron(folder, tensors, objects, stacked, layers, ranks):
    try:
        from megatron.core import __version__, dist_checkpointing
        from megatron.core.dist_checkpointing import ShardedTensor
        from megatron.core.dist_checkpointing.mapping import ShardedObject
    except ImportError as error:
        return print(f"megatron-core: not installed ({error})")
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tempfile.mktemp()}", rank=0, world_size=1)
    torch.serialization.add_safe_globals([argparse.Namespace])
    loaded = 0
    for count in ranks:
        wanted, compared = {}, {}

        def ask(name, key, whole, leading, axis, part, parts):
            value = whole if axis is None else whole.chunk(parts, axis)[part]
            cut = [] if axis is None else [(axis + len(leading), part, parts)]
            wanted[name] = ShardedTensor.from_rank_offsets(
                key, torch.full_like(value, 77), *leading, *cut, prepend_axis_num=len(leading))
            compared[name] = value

        for key, value in tensors.items():
            places = [((), value)]
            if (stacked and key.startswith("decoder.layers.")) or ".experts.experts." in key:
                places = [(((0, i, len(value)),), part) for i, part in enumerate(value)]
            for leading, whole in places:
                axis = axis_of(key)
                if axis is not None and whole.shape[axis] % (2 * count):
                    axis = None
                # One process stands for all ranks: a tensor's parts are asked for together.
                for rank in range(count if axis is not None else 1):
                    name = f"{key} {leading} {rank}"
                    if axis is not None and key.endswith("linear_fc1.weight"):
                        ask(name + " gate", key, whole, leading, 0, rank, 2 * count)
                        ask(name + " up", key, whole, leading, 0, rank + count, 2 * count)
                    else:
                        ask(name, key, whole, leading, axis, rank, count)
        for unique in sorted(objects):
            wanted[unique] = ShardedObject.empty_from_unique_key(unique)
        out = dist_checkpointing.load(wanted, str(folder), validate_access_integrity=False)
        for name, value in compared.items():
            assert torch.equal(out[name], value), (name, count)
        loaded += len(compared)
        for unique in objects:
            assert out[unique] is None, unique
        assert out["checkpoint_version"] == 3.0 and out["args"].num_layers == layers
    print(f"megatron-core {__version__}: {loaded} parts of ranks equal for TP {ranks}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("export", type=Path)
    parser.add_argument("--tp", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    folder = options.export / (options.export / "latest_checkpointed_iteration.txt").read_text()
    common = torch.load(folder / "common.pt", weights_only=False)
    arguments = common["args"]
    assert common["checkpoint_version"] == 3.0 and common["iteration"] == 0
    assert json.loads((folder / "metadata.json").read_text())["sharded_backend"] == "torch_dist"
    source = Source(options.source)
    tensors, stacked = expected(source, arguments.tensor_model_parallel_size)
    assert common["content_metadata"]["non_homogeneous_layers"] is not stacked
    unused = set(source.tensors) - source.used
    assert not unused or unused == {"lm_head.weight"}, unused
    objects = extra_states(tensors, stacked, source.layers)
    check_torch(folder, tensors, objects)
    check_megatron(folder, tensors, objects, stacked, source.layers, options.tp)


main()
