#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goes on training an export of `spikingbrain export --profile hf` with the Trainer of transformers.

    python train_transformers.py --model DIR --data TEXT... --output OUT --length 2048 --steps 1000
    accelerate launch --config_file accelerate_fsdp.yaml train_transformers.py --model DIR --data TEXT... --output OUT

OUT/model is written at the end and is what DIR is: `spikingbrain verify OUT/model`. Started again with the same OUT,
training goes on from its last checkpoint. Needs torch, transformers 4.5x or 5, accelerate and numpy.

Run on a CPU only, in one process. Not run on GPUs or with several processes.
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

sys.dont_write_bytecode = True  # the export stays what its manifest says
from packed_text import PackedSamples, tokens_of  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", type=Path, required=True, help="the export")
    add("--data", nargs="+", required=True,
        help="text files; or one .npy array of token ids; or the .bin of a data set of Megatron's, its .idx beside it")
    add("--output", type=Path, required=True, help="checkpoints go here, and the directory `model` at the end")
    add("--length", type=int, default=2048, help="tokens per sample")
    add("--steps", type=int, default=1000, help="steps, those of an interrupted run included")
    add("--batch", type=int, default=1, help="samples that a process takes together")
    add("--accumulate", type=int, default=1, help="batches of a process per step")
    add("--lr", type=float, default=2e-5)
    add("--warmup", type=int, default=0, help="steps in which the learning rate rises")
    add("--weight-decay", type=float, default=0.1)
    add("--clip", type=float, default=1.0, help="largest norm of the gradient")
    add("--seed", type=int, default=0, help="of the order of the samples")
    add("--save-every", type=int, default=500, help="steps between checkpoints")
    add("--log-every", type=int, default=10, help="steps between lines of the log")
    add("--checkpointing", action="store_true", help="compute layers anew for their gradients (FSDP's settings do so too)")
    add("--cpu", action="store_true", help="no GPU, even where there is one")
    return parser.parse_args()


class Samples(torch.utils.data.Dataset):
    """Packed samples as Trainer takes them; the model shifts the labels itself."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, number):
        ids = torch.from_numpy(self.samples[number][:-1])
        return {"input_ids": ids, "labels": ids}


def last_checkpoint(output):
    """The complete checkpoint with the most steps, or None."""
    found = [(int(file.parent.name.removeprefix("checkpoint-")), str(file.parent))
             for file in output.glob("checkpoint-*/trainer_state.json")]
    return max(found)[1] if found else None


def check(directory):
    """Ends the program where a directory is no export that can learn."""
    if not (directory / "config.json").exists():
        sys.exit(f"{directory} has no config.json: expected an export with --profile hf")
    config = json.loads((directory / "config.json").read_text())
    ours = config.get("model_type") in ("gla_swa", "spikingbrain")
    if ours and not (directory / "modeling_spikingbrain.py").exists():
        sys.exit(f"{directory} has no modeling_spikingbrain.py: expected an export with --profile hf")
    if frozen := config.get("quantization"):
        sys.exit(f"{directory} holds weights in {frozen['weights'].upper()}, which do not learn: export the model from "
                 "before `calibrate --weights`")


def main():
    options = arguments()
    check(options.model)
    on_gpu = torch.cuda.is_available() and not options.cpu
    training = TrainingArguments(
        output_dir=str(options.output), max_steps=options.steps, per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulate, learning_rate=options.lr, lr_scheduler_type="cosine",
        warmup_steps=options.warmup, weight_decay=options.weight_decay, max_grad_norm=options.clip, adam_beta2=0.95,
        logging_steps=options.log_every, save_steps=options.save_every, save_total_limit=2, seed=options.seed,
        data_seed=options.seed, use_cpu=options.cpu, bf16=on_gpu, dataloader_pin_memory=on_gpu, report_to="none",
        remove_unused_columns=False, **({"gradient_checkpointing": True} if options.checkpointing else {}))
    with training.main_process_first(desc="tokens"):
        samples = PackedSamples(tokens_of(options.data, options.model, options.output), options.length)
    # Weights in float32: the optimizer's small steps would be lost in 16 bits. bf16 above is the type of the products.
    model = AutoModelForCausalLM.from_pretrained(options.model, trust_remote_code=True).float()
    trainer = Trainer(model=model, args=training, train_dataset=Samples(samples))
    trainer.train(resume_from_checkpoint=last_checkpoint(options.output))

    result = options.output / "model"
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(result))
    if training.process_index == 0:
        for file in options.model.iterdir():  # the tokenizer, and whatever else belongs to the model
            belongs = file.suffix in (".json", ".jinja", ".txt", ".model", ".tiktoken", ".py")
            if belongs and file.name != "manifest.json" and not file.name.endswith(".index.json"):
                if not (result / file.name).exists():
                    shutil.copy(file, result)
        print(f"wrote {result}", flush=True)


if __name__ == "__main__":
    main()
