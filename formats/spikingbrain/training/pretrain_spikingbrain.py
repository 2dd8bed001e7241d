#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goes on pre-training an export of `spikingbrain export --profile megatron-dist` with Megatron-core.

    torchrun --nproc-per-node 8 pretrain_spikingbrain.py --checkpoint EXPORT --save OUT --data TEXT... \
        --seq-length 8192 --global-batch 128 --steps 10000 --tp 1 --pp 1

Needs torch, megatron-core 0.16.1, transformers 4.5x or 5, tokenizers and numpy. The export is loaded as it is, for any
number of ranks. OUT holds checkpoints that `spikingbrain` reads: `spikingbrain export OUT DIR --profile hf`. Started again
with the same OUT, training goes on from its last checkpoint.

Run on a CPU only (gloo): TP 1 and 2, PP 1 and 2, EP 1 and 2, sequence parallelism, float32 and bfloat16. Not run on GPUs.
"""
import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import torch

sys.dont_write_bytecode = True  # the export stays what its manifest says
from packed_text import PackedSamples, tokens_of  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="the export, or what was saved in another stage")
    add("--save", type=Path, required=True, help="where checkpoints go; where there is one, training goes on from it")
    add("--data", nargs="+", required=True,
        help="text files; or one .npy array of token ids; or the .bin of a data set of Megatron's, its .idx beside it")
    add("--in-order", action="store_true", help="samples in the order of the texts, not drawn at random")
    add("--seed", type=int, default=0, help="of the order of the samples")
    add("--seq-length", type=int, default=8192, help="tokens per sample, sinks not counted")
    add("--micro-batch", type=int, default=1, help="samples that a rank takes together")
    add("--global-batch", type=int, default=8, help="samples per step, of all ranks")
    add("--steps", type=int, required=True, help="steps of this stage, those of an interrupted run included")
    add("--lr", type=float, default=2e-5)
    add("--min-lr", type=float, default=0.0, help="where the cosine schedule ends")
    add("--warmup", type=int, default=0, help="steps in which the learning rate rises")
    add("--weight-decay", type=float, default=0.1, help="of matrices")
    add("--beta2", type=float, default=0.95)
    add("--clip", type=float, default=1.0, help="largest norm of the gradient")
    add("--moe-aux-loss", type=float, default=0.0, help="factor of the loss that balances experts")
    add("--tp", type=int, default=1, help="tensor ranks; above 1 with sequence parallelism")
    add("--pp", type=int, default=1, help="pipeline ranks")
    add("--ep", type=int, default=1, help="expert ranks")
    add("--no-sequence-parallel", action="store_true", help="models with experts need it when --tp is above 1")
    add("--float32", action="store_true", help="weights and activations; without it they are bfloat16, Adam's float32")
    add("--recompute", action="store_true", help="compute layers anew for their gradients: less memory, more time")
    add("--save-every", type=int, default=500, help="steps between checkpoints; there is one at the end too")
    add("--log-every", type=int, default=1, help="steps between lines of the log")
    add("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try things out")
    return parser.parse_args()


def start(options):
    """The process groups; on a CPU what stands in for a GPU."""
    if options.device == "cpu":
        import transformers  # noqa: F401, looks at CUDA while it is imported
        from spikingbrain_megatron import cpu
        cpu.stand_in()
        torch.distributed.init_process_group("gloo")
        device = torch.device("cpu")
    elif not torch.cuda.is_available():
        sys.exit("error: torch finds no GPU here; --device cpu tries things out without one")
    else:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        torch.distributed.init_process_group("nccl", device_id=device)
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel import model_parallel_cuda_manual_seed
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=options.tp, pipeline_model_parallel_size=options.pp,
        expert_model_parallel_size=options.ep, expert_tensor_parallel_size=options.tp)
    if options.device == "cuda":
        model_parallel_cuda_manual_seed(options.seed + 1)
    return device


def main():
    options = arguments()
    warnings.filterwarnings("ignore", module="megatron|torch")
    device = start(options)
    try:
        train(options, device)
    except ValueError as error:  # of what was given
        if torch.distributed.get_rank() == 0:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    finally:
        torch.distributed.destroy_process_group()


def train(options, device):
    from megatron.core import parallel_state
    from megatron.core.distributed import (
        DistributedDataParallel, DistributedDataParallelConfig, finalize_model_grads)
    from megatron.core.optimizer import OptimizerConfig, ParamKey, get_megatron_optimizer, get_standard_config_overrides
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler, ParamGroupOverride
    from megatron.core.pipeline_parallel import get_forward_backward_func
    from spikingbrain_megatron import Checkpoint, build, load, read_configuration, save
    from spikingbrain_megatron.checkpoint import TRACKER
    from spikingbrain_megatron.model import transformer_config

    first = torch.distributed.get_rank() == 0
    resumes = (options.save / TRACKER).exists()
    checkpoint = Checkpoint(options.save if resumes else options.checkpoint)
    model = read_configuration(checkpoint.directory)
    model.merged_gates = checkpoint.has_merged_gates
    replicas, replica = parallel_state.get_data_parallel_world_size(), parallel_state.get_data_parallel_rank()
    share = options.micro_batch * replicas
    if options.global_batch % share:
        raise ValueError(f"--global-batch {options.global_batch} is no multiple of {share}: {replicas} replicas of the "
                         f"model, {options.micro_batch} samples each")
    microbatches = options.global_batch // share
    sequence_parallel = options.tp > 1 and not options.no_sequence_parallel
    length = options.seq_length + model.num_sink_tokens
    if sequence_parallel and length % options.tp:
        raise ValueError(f"--tp {options.tp} does not divide {length} tokens: {options.seq_length} of the text, "
                         f"{model.num_sink_tokens} sinks")

    dtype = torch.float32 if options.float32 else torch.bfloat16
    config = transformer_config(
        model, tensor_model_parallel_size=options.tp, pipeline_model_parallel_size=options.pp,
        expert_model_parallel_size=options.ep, expert_tensor_parallel_size=options.tp,
        sequence_parallel=sequence_parallel, params_dtype=dtype, pipeline_dtype=dtype, bf16=not options.float32,
        moe_aux_loss_coeff=options.moe_aux_loss, variable_seq_lengths=False,
        **({"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
           if options.recompute else {}))
    network = DistributedDataParallel(
        config, DistributedDataParallelConfig(grad_reduce_in_fp32=True, use_distributed_optimizer=True),
        build(model, config, checkpoint.args.padded_vocab_size, device))
    if not resumes:
        load(checkpoint, network.module)
    adam = OptimizerConfig(
        optimizer="adam", lr=options.lr, min_lr=options.min_lr, weight_decay=options.weight_decay,
        adam_beta2=options.beta2, clip_grad=options.clip, bf16=not options.float32, params_dtype=dtype,
        use_distributed_optimizer=True)
    # Vectors do not decay; nor do the norms of branches, which are matrices.
    overrides = get_standard_config_overrides(adam)
    overrides[ParamKey(name="*.[ls]a_norm.weight")] = ParamGroupOverride(wd_mult=0.0)
    optimizer = get_megatron_optimizer(adam, [network], overrides)
    scheduler = OptimizerParamScheduler(
        optimizer, init_lr=0.0, max_lr=options.lr, min_lr=options.min_lr, lr_warmup_steps=options.warmup,
        lr_decay_steps=options.steps, lr_decay_style="cosine", start_wd=options.weight_decay, end_wd=options.weight_decay,
        wd_incr_steps=options.steps, wd_incr_style="constant", override_opt_param_scheduler=True,
        use_checkpoint_opt_param_scheduler=False)
    if resumes:
        load(checkpoint, network.module, optimizer, scheduler)
    config.grad_scale_func, config.no_sync_func = optimizer.scale_loss, network.no_sync
    config.finalize_model_grads_func = finalize_model_grads

    if first:  # the others read what it wrote
        tokens_of(options.data, options.checkpoint, options.save)
    torch.distributed.barrier()
    samples = PackedSamples(
        tokens_of(options.data, options.checkpoint, options.save), options.seq_length,
        None if options.in_order else options.seed)
    done = checkpoint.iteration if resumes else 0
    if first:
        print(f"{sum(p.numel() for p in network.parameters()):,} parameters on the first rank, {len(samples):,} samples "
              f"of {options.seq_length} tokens, steps {done + 1} to {options.steps}", flush=True)

    def batches(step):
        """The micro-batches [B, length + 1] of this replica in a step, the same on all its ranks."""
        for part in range(microbatches):
            place = step * options.global_batch + part * share + replica * options.micro_batch
            batch = [torch.from_numpy(samples[place + n]) for n in range(options.micro_batch)]
            yield torch.stack(batch).to(device)

    def forward(iterator, network):
        batch = next(iterator)
        losses = network(batch[:, :-1], labels=batch[:, 1:])
        return losses, lambda losses: (losses.float().mean(), losses.detach().float().mean())

    ranks = {"tensor_model_parallel_size": options.tp, "pipeline_model_parallel_size": options.pp,
             "expert_model_parallel_size": options.ep, "expert_tensor_parallel_size": options.tp}
    step_of = get_forward_backward_func()
    network.train()
    for step in range(done, options.steps):
        began = time.monotonic()
        network.zero_grad_buffer()
        optimizer.zero_grad()
        losses = step_of(
            forward_step_func=forward, data_iterator=batches(step), model=[network], num_microbatches=microbatches,
            seq_length=length, micro_batch_size=options.micro_batch, forward_only=False)
        rate = optimizer.param_groups[0]["lr"]
        _, norm, _ = optimizer.step()
        scheduler.step(increment=1)
        # Only the last stage has losses, every replica its own.
        loss = torch.stack(losses).mean() if losses else torch.zeros((), device=device)
        torch.distributed.all_reduce(loss)
        loss = loss.item() / (replicas * options.tp)
        if not loss < float("inf"):
            raise ValueError(f"the loss of step {step + 1} is {loss}: nothing of it is saved")
        if first and (step + 1) % options.log_every == 0:
            took = time.monotonic() - began
            print(f"step {step + 1} loss {loss:.6f} norm {norm:.4g} lr {rate:.3g} "
                  f"{options.global_batch * options.seq_length / took:,.0f} tokens/s", flush=True)
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps:
            folder = save(options.save, step + 1, checkpoint, network.module, optimizer, scheduler, ranks)
            if first:
                print(f"saved {folder}", flush=True)


if __name__ == "__main__":
    main()
