# SPDX-License-Identifier: Apache-2.0
"""Lets Megatron-core run on a machine without a GPU, to try things out: `stand_in()`.

Megatron-core asks CUDA for its device and its streams in many places, and compares the names of CUDA's types. Here the CPU
answers in CUDA's place. Nothing of this is used where there is a GPU.
"""
import contextlib

import torch
import torch._dynamo
from torch.overrides import TorchFunctionMode


def is_cuda(device):
    return device is not None and str(device).startswith("cuda")


class OnCPU(TorchFunctionMode):
    """Calls of torch that name CUDA, answered by the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.cuda:
            return args[0]
        if is_cuda(kwargs.get("device")):
            kwargs["device"] = "cpu"
        if function is torch.Tensor.to:
            args = tuple("cpu" if isinstance(x, (str, torch.device)) and is_cuda(x) else x for x in args)
        result = function(*args, **kwargs)
        if function is torch.Tensor.type and len(args) == 1 and not kwargs:  # Megatron-core compares it with CUDA's
            result = result.replace("torch.", "torch.cuda.")
        return result


class Stream:
    """A stream of a device that does everything at once; also an event of it."""

    def __init__(self, *args, **kwargs):
        pass

    def nothing(self, *args, **kwargs):
        pass

    wait_stream = wait_event = record = synchronize = wait = nothing

    def record_event(self, event=None):
        return event or self


class NoStates:
    """Random states of a GPU, which there are none of: Megatron-core keeps them for dropout, and there is none of that."""

    @contextlib.contextmanager
    def fork(self, name=None):
        yield

    def add(self, name, seed):
        pass

    def get_states(self):
        return {}

    def set_states(self, states):
        pass


def stand_in():
    """Before Megatron-core is imported; for the rest of the process."""
    torch._dynamo.config.disable = True  # compilation takes longer than what is tried out
    cuda, stream = torch.cuda, Stream()
    cuda.Stream = cuda.Event = Stream
    cuda.current_device = lambda: torch.device("cpu")
    cuda.current_stream = cuda.default_stream = lambda device=None: stream
    cuda.stream = lambda stream: contextlib.nullcontext()
    cuda.synchronize = cuda.empty_cache = cuda.manual_seed = lambda *args: None
    cuda.get_rng_state = cuda.random.get_rng_state = lambda device=None: torch.zeros(1, dtype=torch.uint8)
    cuda.nvtx.range_push = cuda.nvtx.range_pop = lambda *args: None
    OnCPU().__enter__()
    from megatron.core.tensor_parallel import random
    from megatron.core.transformer.moe import token_dispatcher
    # Counts of tokens are numbers for the communication, which they otherwise become on their way from a GPU.
    token_dispatcher.maybe_move_tensor_to_cpu = (
        lambda x, as_numpy=False, record_stream=False: x.numpy() if as_numpy and torch.is_tensor(x) else x)
    random._get_cuda_rng_state = lambda *args, **kwargs: torch.zeros(1, dtype=torch.uint8)
    random._set_cuda_rng_state = lambda *args, **kwargs: None
    states = NoStates()
    random.initialize_rng_tracker = lambda *args, **kwargs: None
    random._CUDA_RNG_STATE_TRACKER = states
