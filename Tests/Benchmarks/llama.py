#!/usr/bin/env python3
"""llama.cpp as `spikingbrain bench --against` asks it: answers lines on standard input.

  spikingbrain bench MODEL.gguf --against "python3 Tests/Benchmarks/llama.py MODEL.gguf [THREADS]"

Needs `pip install llama-cpp-python`.
"""
import sys
import time

from llama_cpp import Llama, __version__

from rival import answer, tokens


class Model:
    def __init__(self, path, threads):
        self.path, self.threads, self.room = path, threads, 0
        self.grow(1024)

    def grow(self, tokens):
        """A context of at least so many tokens."""
        if tokens <= self.room:
            return
        self.room = tokens
        self.llama = Llama(self.path, n_ctx=tokens, n_threads=self.threads, n_threads_batch=self.threads,
                           n_batch=512, n_ubatch=512, verbose=False, logits_all=False)

    def read(self, tokens):
        self.llama.reset()
        self.llama.eval(tokens)

    def name(self):
        return f"llama.cpp ({__version__}), {self.threads} threads"

    def next(self, *tokens):
        self.read(list(tokens))
        logits = self.llama._ctx.get_logits_ith(-1)
        return max(range(self.llama.n_vocab()), key=lambda i: logits[i])

    def prefill(self, count):
        self.grow(count + 64)
        start = time.perf_counter()
        self.read(tokens(count, self.llama.n_vocab()))
        return time.perf_counter() - start

    def decode(self, count, position):
        self.grow(position + count + 64)
        ids = tokens(position + count + 1, self.llama.n_vocab())
        self.read(ids[:position + 1])
        start = time.perf_counter()
        for token in ids[position + 1:]:
            self.llama.eval([token])
        return time.perf_counter() - start


if __name__ == "__main__":
    answer(Model(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2))
