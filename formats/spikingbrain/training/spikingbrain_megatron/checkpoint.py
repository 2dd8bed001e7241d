# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of Megatron-core's distributed format: exports of `spikingbrain`, and what is saved during training.

A directory holds `latest_checkpointed_iteration.txt`, config.json and the tokenizer, and an iteration's tensors in
`release` or `iter_0000123`. What is saved here is read by `spikingbrain` and by Megatron-core for any number of ranks.
"""
import argparse
import shutil
from pathlib import Path

import torch
from torch.distributed.checkpoint import FileSystemReader

from .configuration_spikingbrain import refuse

from megatron.core import dist_checkpointing, parallel_state

TRACKER = "latest_checkpointed_iteration.txt"
# Layers and experts under keys that do not depend on the ranks; optimizer states that any number of ranks can load.
CONTENT = {"non_homogeneous_layers": True, "singleton_local_shards": False,
           "distrib_optim_sharding_type": "fully_reshardable", "chained_optim_avoid_prefix": True}


class Checkpoint:
    """A directory with a checkpoint in it."""

    def __init__(self, directory):
        self.directory = Path(directory)
        tracker = self.directory / TRACKER
        refuse(not tracker.exists(), f"{tracker} is missing: expected an export with --profile megatron-dist")
        name = tracker.read_text().strip()
        self.folder = self.directory / (name if name == "release" else f"iter_{int(name):07d}")
        refuse(not (self.folder / ".metadata").exists(),
               f"{self.folder} holds no distributed checkpoint: export with --profile megatron-dist")
        torch.serialization.add_safe_globals([argparse.Namespace])
        self.common = dist_checkpointing.load_common_state_dict(str(self.folder))
        self.args = self.common["args"]
        self.iteration = 0 if name == "release" else self.common["iteration"]

        # Not by Megatron-core, which does not know what newer versions of torch note of a tensor.
        self.keys = set(FileSystemReader(self.folder).read_metadata().state_dict_metadata)

    @property
    def has_merged_gates(self):
        """Whether decay gates are one matrix each."""
        return any(key.endswith("gk_proj.weight") for key in self.keys)


def content(metadata):
    """What the modules ask of the checkpoint's contents."""
    return {**metadata, "dp_cp_group": parallel_state.get_data_parallel_group(with_context_parallel=True)}


def check_keys(checkpoint, wanted):
    """Refuses a checkpoint that lacks keys of the model, or has others. `wanted` is what this rank holds."""
    keys = {getattr(part, "unique_key", part.key) for part in wanted.values()}
    every = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, keys)
    keys, found = set().union(*every), {key for key in checkpoint.keys if not key.startswith("optimizer.")}
    refuse(keys != found, f"{checkpoint.folder} is of another model: lacks {sorted(keys - found)[:4]}, "
                          f"has besides {sorted(found - keys)[:4]}")


def ready_to_load(optimizer):
    """Makes up for what Megatron-core takes for granted of an optimizer, where that is torch's Adam: states before the
    first step, each with a count of steps of its own, which are no part of the checkpoint's tensors."""
    for part in optimizer.chained_optimizers:
        adam = part.optimizer
        if not isinstance(adam, torch.optim.AdamW):
            continue
        for p in (p for group in adam.param_groups for p in group["params"]):
            if not adam.state[p]:
                adam.state[p] = {"step": torch.zeros(()), "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}

        def load_tensors(state, adam=adam, original=part.load_parameter_state_from_fully_reshardable):
            steps = {p: found.pop("step") for p, found in adam.state.items()}
            original(state)
            for p, step in steps.items():
                adam.state[p]["step"] = step.clone()

        part.load_parameter_state_from_fully_reshardable = load_tensors


def load(checkpoint, model, optimizer=None, scheduler=None):
    """Sets the weights, and, where they are given, the states of the optimizer and the schedule. A tensor that is missing
    or not used is an error."""
    metadata = content(checkpoint.common.get("content_metadata") or {})
    state = {"model": model.sharded_state_dict(metadata=metadata)}
    if optimizer is not None:
        ready_to_load(optimizer)
        state["optimizer"] = optimizer.sharded_state_dict(state["model"], is_loading=True, metadata=metadata)
    check_keys(checkpoint, state["model"])
    loaded = dist_checkpointing.load(state, str(checkpoint.folder))
    model.load_state_dict(loaded["model"], strict=True)
    if optimizer is not None:
        optimizer.load_state_dict(loaded["optimizer"])
        scheduler.load_state_dict(loaded["opt_param_scheduler"])


def save(directory, iteration, source, model, optimizer, scheduler, ranks):
    """Writes iteration `iteration` below `directory`, with everything that `source`, a Checkpoint, has beside its tensors.

    `ranks` are the fields of args that say how many there are. The tracker is changed last: until then the directory is
    what it was.
    """
    directory, folder = Path(directory), Path(directory) / f"iter_{iteration:07d}"
    first = torch.distributed.get_rank() == 0
    if first:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    torch.distributed.barrier()
    metadata = content(CONTENT)
    args = argparse.Namespace(**{**vars(source.args), **ranks})
    state = {"args": args, "checkpoint_version": 3.0, "iteration": iteration,
             "model": model.sharded_state_dict(metadata=metadata), "opt_param_scheduler": scheduler.state_dict()}
    state["optimizer"] = optimizer.sharded_state_dict(state["model"], is_loading=False, metadata=metadata)
    dist_checkpointing.save(state, str(folder), content_metadata=CONTENT)
    torch.distributed.barrier()
    if first:
        for file in source.directory.iterdir():
            if file.is_file() and file.name not in (TRACKER, "manifest.json") and not (directory / file.name).exists():
                shutil.copy(file, directory)
        if (source.directory / "training").is_dir() and not (directory / "training").exists():
            shutil.copytree(source.directory / "training", directory / "training",
                            ignore=shutil.ignore_patterns("__pycache__"))
        unfinished = directory / f"{TRACKER}.partial"
        unfinished.write_text(str(iteration))
        unfinished.rename(directory / TRACKER)
    torch.distributed.barrier()
    return folder
