#!/usr/bin/env python3
"""PyTorch with transformers on the CPU as `spikingbrain bench --against` asks it.

  spikingbrain bench DIR --against "python3 Tests/Benchmarks/pytorch.py DIR [THREADS] [DTYPE]"

DIR is a Hugging Face directory; DTYPE bfloat16 (default) or float32. Needs torch and transformers.
"""
import sys
import time

import torch
import transformers

from rival import answer, tokens


class Model:
    def __init__(self, path, threads, dtype):
        torch.set_num_threads(threads)
        self.threads, self.dtype = threads, dtype
        self.model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype)).eval()

    def name(self):
        version = torch.__version__.split("+")[0]
        return f"PyTorch {version}, {self.dtype}, {self.threads} threads"

    @torch.inference_mode()
    def run(self, tokens, cache=None):
        return self.model(torch.tensor([tokens]), past_key_values=cache, use_cache=True, logits_to_keep=1)

    def next(self, *tokens):
        return int(self.run(list(tokens)).logits[0, -1].float().argmax())

    def prefill(self, count):
        start = time.perf_counter()
        self.run(tokens(count, self.model.config.vocab_size))
        return time.perf_counter() - start

    def decode(self, count, position):
        ids = tokens(position + count + 1, self.model.config.vocab_size)
        cache = self.run(ids[:position + 1]).past_key_values
        start = time.perf_counter()
        for token in ids[position + 1:]:
            cache = self.run([token], cache).past_key_values
        return time.perf_counter() - start


if __name__ == "__main__":
    arguments = sys.argv[1:] + ["2", "bfloat16"][len(sys.argv) - 2:]
    answer(Model(arguments[0], int(arguments[1]), arguments[2]))
