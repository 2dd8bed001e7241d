# SPDX-License-Identifier: Apache-2.0
"""SpikingBrain models for Megatron-core (0.16.1): the modules that it lacks, under the names of
`spikingbrain export --profile megatron-dist`.

The mathematics is that of `modeling_spikingbrain.py`, the code for `transformers` that lies beside this file; this package
shares it among ranks. Only modules of Megatron-core itself are used: no Transformer Engine, no Apex, nothing to build.

| part | shared among tensor ranks |
|---|---|
| `linear_qkv` (q, k and v of a key/value head together), `gk_proj.1`, `la_norm`, `sa_norm` | by key/value heads |
| `linear_proj` | by the heads it reads |
| `gk_proj.0`, norms of heads and layers, `branch_scale`, sinks, router | each rank holds all |
| embedding, head, feed-forward parts, experts | as Megatron-core does |

With sequence parallelism, tokens between the mixers are shared among the tensor ranks too.
"""
from .modeling_spikingbrain import linear_attention  # noqa: F401, transformers has to be imported before Megatron
from .checkpoint import Checkpoint, load, save  # noqa: F401
from .model import SpikingBrainGPT, build, read_configuration  # noqa: F401
