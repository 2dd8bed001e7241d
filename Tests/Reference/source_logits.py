"""Logits and residual streams of a source checkpoint (Hugging Face directory or GGUF), run by transformers."""
import argparse

import torch

from checkpoint_io import load_source, parse_ids, write_tensors


@torch.no_grad()
def run(model, tokens):
    """{'logits': [T,V], 'hidden.0' ... 'hidden.L': [T,H]}; hidden.L is taken before the final norm, by hooks."""
    layers = model.model.layers
    seen = {}

    def entering(index):
        def hook(module, args, kwargs):
            seen[f"hidden.{index}"] = (args[0] if args else kwargs["hidden_states"])[0].clone()
        return hook

    def leaving(module, args, output):
        output = output[0] if isinstance(output, tuple) else output
        seen[f"hidden.{len(layers)}"] = output.reshape(len(tokens), -1).clone()

    hooks = [layer.register_forward_pre_hook(entering(i), with_kwargs=True) for i, layer in enumerate(layers)]
    hooks.append(layers[-1].register_forward_hook(leaving))
    try:
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    finally:
        for hook in hooks:
            hook.remove()
    return {"logits": logits.float(), **seen}


@torch.no_grad()
def greedy(model, tokens, count):
    """The next `count` ids by argmax; the whole prefix is recomputed each time, so no cache can be wrong."""
    tokens = list(tokens)
    for _ in range(count):
        tokens.append(int(model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax()))
    return tokens[len(tokens) - count:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", required=True, type=parse_ids)
    parser.add_argument("--output", required=True)
    parser.add_argument("--greedy", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_source(options.checkpoint)
    result = run(model, options.tokens)
    if options.greedy:
        result["greedy"] = torch.tensor(greedy(model, options.tokens, options.greedy), dtype=torch.int64)
    write_tensors(options.output, result)


if __name__ == "__main__":
    main()
