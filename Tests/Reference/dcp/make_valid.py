"""Writes the vectors under formats/dcp/valid with torch.distributed.checkpoint, in one process.

    types       one chunk per tensor, every type, objects beside them
    sharded     tensors cut as Megatron cuts them, in two files
    megatron    the same as Megatron-Core 0.14 and 0.15 on torch 2.2 described it: its own class of
                metadata, TensorProperties under their old path, and pickle protocol 5

Every tensor holds 0, 1, 2, ... in its type, so that a reader can be told what to find.
"""

import dataclasses
import pickle
import shutil
import sys
import types
import warnings
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed._shard.sharded_tensor.metadata import MEM_FORMAT_ENCODING
from torch.distributed._shard.sharded_tensor.metadata import TensorProperties as OldProperties
from torch.distributed.checkpoint import DefaultSavePlanner, FileSystemWriter
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata, Metadata, MetadataIndex, TensorProperties)
from torch.distributed.checkpoint.planner import (
    SavePlan, TensorWriteData, WriteItem, WriteItemType)

VALID = Path(__file__).resolve().parents[3] / "formats" / "dcp" / "valid"
warnings.simplefilter("ignore")
TYPES = {
    "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
    "i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "i8": torch.int8,
    "u8": torch.uint8,
}


def ramp(*shape, dtype=torch.float32):
    count = 1
    for size in shape:
        count *= size
    return torch.arange(count).to(dtype).reshape(shape)


def block(offsets, sizes):
    return tuple(slice(o, o + s) for o, s in zip(offsets, sizes))


class ChunkPlanner(DefaultSavePlanner):
    """Cuts tensors into the given chunks as if ranks had sent them."""

    def __init__(self, chunks):
        super().__init__(flatten_state_dict=False)
        self.chunks = chunks

    def create_local_plan(self):
        items = []
        for name, tensor in self.state_dict.items():
            whole = [((0,) * tensor.dim(), tuple(tensor.shape))]
            for offsets, sizes in self.chunks.get(name, whole):
                offsets, sizes = torch.Size(offsets), torch.Size(sizes)
                items.append(WriteItem(
                    index=MetadataIndex(name, offsets), type=WriteItemType.SHARD,
                    tensor_data=TensorWriteData(
                        chunk=ChunkStorageMetadata(offsets=offsets, sizes=sizes),
                        properties=TensorProperties.create_from_tensor(tensor),
                        size=tensor.shape)))
        self.plan = SavePlan(items)
        return self.plan

    def resolve_data(self, item):
        chunk = item.tensor_data.chunk
        return self.state_dict[item.index.fqn][block(chunk.offsets, chunk.sizes)].clone()


def write_types(folder):
    state = {name: ramp(2, 3, dtype=dtype) for name, dtype in TYPES.items()}
    state["bool"] = ramp(2, 3, dtype=torch.bool)
    state["scalar"] = torch.tensor(7.0)
    state["empty"] = torch.empty(0, 4)
    state["transposed"] = ramp(3, 2).t()
    state["an object"] = {"step": 3}
    state["text"] = "not a tensor"
    dcp.save(state, storage_writer=FileSystemWriter(folder), no_dist=True)


def sharded():
    """Tensors with the chunks of 2 tensor ranks, halves of fc1 apart, and of 3 experts."""
    state = {
        "embedding.word_embeddings.weight": ramp(8, 3),
        "layers.0.linear_qkv.weight": ramp(6, 4, dtype=torch.bfloat16),
        "layers.0.linear_proj.weight": ramp(3, 6),
        "layers.0.linear_fc1.weight": ramp(8, 3),
        "layers.0.experts.weight": ramp(3, 4, 2),
        "layers.0.grid": ramp(5, 7),
        "layers.0.windmill": ramp(3, 3),
        "layers.0.norm": ramp(3),
    }
    chunks = {
        "embedding.word_embeddings.weight": [((4, 0), (4, 3)), ((0, 0), (4, 3))],
        "layers.0.linear_qkv.weight": [((0, 0), (3, 4)), ((3, 0), (3, 4))],
        "layers.0.linear_proj.weight": [((0, 0), (3, 3)), ((0, 3), (3, 3))],
        "layers.0.linear_fc1.weight":
            [((o, 0), (2, 3)) for o in (0, 4, 2, 6)],
        "layers.0.experts.weight":
            [((e, t, 0), (1, 2, 2)) for e in range(3) for t in (0, 2)],
        "layers.0.grid":
            [((r, c), (h, w)) for r, h in ((0, 2), (2, 3)) for c, w in ((0, 3), (3, 4))],
        # Five chunks that form no grid.
        "layers.0.windmill":
            [((0, 0), (1, 2)), ((0, 2), (2, 1)), ((2, 1), (1, 2)), ((1, 0), (2, 1)),
             ((1, 1), (1, 1))],
    }
    return state, chunks


def write_sharded(folder):
    state, chunks = sharded()
    dcp.save(state, storage_writer=FileSystemWriter(folder, thread_count=2),
             planner=ChunkPlanner(chunks), no_dist=True)


def write_megatron(folder):
    write_sharded(folder)
    path = folder / ".metadata"
    metadata = pickle.loads(path.read_bytes())
    for entry in metadata.state_dict_metadata.values():
        new = entry.properties
        old = OldProperties(new.dtype, new.layout, new.requires_grad, new.memory_format)
        entry.properties = old
    OldProperties.__getstate__ = lambda self: (
        self.dtype, self.layout, self.requires_grad,
        MEM_FORMAT_ENCODING.TORCH_CONTIGUOUS_FORMAT, self.pin_memory)
    module = types.ModuleType("megatron.core.dist_checkpointing.strategies.torch")
    base = dataclasses.make_dataclass(
        "MCoreMetadata", [("mcore_data", dict, None)], bases=(Metadata,))
    base.__module__ = module.__name__
    module.MCoreMetadata = base
    sys.modules[module.__name__] = module
    data = {"layers.0.grid": {"nd_reformulated_orig_global_shape": (5, 7)}}
    own = base(
        state_dict_metadata=metadata.state_dict_metadata, planner_data=None,
        storage_data=metadata.storage_data, mcore_data=data)
    path.write_bytes(pickle.dumps(own, protocol=5))



if __name__ == "__main__":
    shutil.rmtree(VALID, ignore_errors=True)
    write_types(VALID / "types")
    write_sharded(VALID / "sharded")
    write_megatron(VALID / "megatron")
