"""Golden vectors for GGUF block formats: random raw blocks and the values they stand for.

Writes, per type, `TYPE.raw` u8 [n, bytes of a block] and `TYPE.values` f32 [n, values of a block].
"""
import argparse

import gguf
import numpy as np
import torch

from checkpoint_io import write_tensors

TYPES = ("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
         "IQ4_NL", "IQ4_XS", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")


def blocks(kind, count, random):
    """(raw, values): random bytes, without the blocks whose f16 scale happens to be huge, infinite or NaN."""
    wanted = gguf.GGMLQuantizationType[kind]
    size, length = gguf.GGML_QUANT_SIZES[wanted]
    if size == 1:  # not a block format: rows of 32 scalars
        raw = gguf.quantize(random.standard_normal((count, 32)).astype(np.float32), wanted)
        return raw.view(np.uint8), gguf.dequantize(raw, wanted)
    raw = random.integers(0, 256, (16 * count, length), dtype=np.uint8)
    with np.errstate(all="ignore"):
        values = gguf.dequantize(raw, wanted)
        good = (np.abs(values) < 1e6).all(axis=1)
    assert good.sum() >= count, kind
    return raw[good][:count], values[good][:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, result = np.random.default_rng(options.seed), {}
    for kind in TYPES:
        raw, values = blocks(kind, options.count, random)
        print(kind, list(raw.shape), "->", list(values.shape))
        result[f"{kind}.raw"], result[f"{kind}.values"] = torch.from_numpy(raw.copy()), torch.from_numpy(values.copy())
    write_tensors(options.output, result)


if __name__ == "__main__":
    main()
