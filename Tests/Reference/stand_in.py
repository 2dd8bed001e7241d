"""A stand-in for the program, made of this reference: only for testing cross_check.py itself.

    python cross_check.py --program "python stand_in.py" ...

STAND_IN_FAULT=window|gate|qk-norm|bias|rope|greedy|verify|tokenize plants one mistake, which a check must find.
"""
import argparse
import json
import os
import sys

import torch

import convert_reference
import source_logits
from checkpoint_io import DTYPES, TensorFiles, is_spikingbrain, load_source, parse_ids, read_config, write_tensors
from perplexity import encode, load_logits, load_tokenizer, perplexity, read_text
from spikingbrain_reference import SpikingBrain

FAULT = os.environ.get("STAND_IN_FAULT", "")


def load(path):
    """A converted model, with the planted mistake."""
    model = SpikingBrain(path)
    if FAULT == "window":
        model.window += 1
    if FAULT == "rope":
        model.inverse = model.inverse * 1.01
    for layer in model.weights:
        if FAULT == "gate" and "gk" in layer:
            layer["gk"] = [(weight.flip(0), bias) for weight, bias in layer["gk"]]
        if FAULT == "bias":
            layer["k"] = (layer["k"][0], layer["k"][1] * 0)
        if FAULT == "qk-norm" and "k_norm" in layer:
            layer["k_norm"] = layer["q_norm"]
    return model


def logits(options):
    if is_spikingbrain(options.checkpoint):
        model = load(options.checkpoint)
        result = model.run_stepwise(options.tokens) if options.stepwise else model.run(options.tokens)
    elif options.checkpoint.endswith(".gguf"):
        convert_reference.write(options.output + ".dir", *convert_reference.convert(
            *convert_reference.read_source(options.checkpoint)))
        result = SpikingBrain(options.output + ".dir", all_window=True).run(options.tokens)
    else:
        result = source_logits.run(load_source(options.checkpoint), options.tokens)
    write_tensors(options.output, result)


def convert(options):
    config, tensors = convert_reference.convert(
        *convert_reference.read_source(options.checkpoint), options.attention_layers, options.window,
        options.gate_bias, options.window_rule, options.full_attention_layers, seed=99)
    if options.dtype != "keep":
        tensors = {name: tensor.to(DTYPES[options.dtype]) for name, tensor in tensors.items()}
    if FAULT == "bias":
        tensors["model.layers.1.attn.k_proj.bias"] += 1
    convert_reference.write(options.out, config, tensors)
    try:
        load_tokenizer(options.checkpoint)[0].save(f"{options.out}/tokenizer.json")
    except Exception:  # noqa: BLE001  (a random model has none)
        pass


def verify(options):
    config, files = read_config(options.checkpoint), TensorFiles(options.checkpoint)
    own = config["model_type"] == "spikingbrain"
    full = [n for n, kind in enumerate(config["mixer"]) if kind == "full"] if own else []
    _, wanted = convert_reference.convert(*convert_reference.read_source(options.source),
                                          ",".join(map(str, config["attn_layers"])), full=full)
    bad = [n for n in wanted if "gk_proj" not in n and not torch.equal(files.take(n).float(), wanted[n].float())]
    print("\n".join(bad))
    sys.exit(1 if bad and FAULT != "verify" else 0)


def evaluate(options):
    ids = encode(options.checkpoint, read_text(options.text))[:options.tokens]
    print(json.dumps(perplexity(load_logits(options.checkpoint), ids, options.context)))


def generate(options):
    tokenizer, _ = load_tokenizer(options.checkpoint)
    ids = encode(options.checkpoint, options.prompt)
    following = source_logits.greedy(load_source(options.checkpoint), ids, options.max_tokens)
    print(tokenizer.decode(following[::-1] if FAULT == "greedy" else following, skip_special_tokens=False))


def tokenize(options):
    text = sys.stdin.buffer.read().decode()
    print(json.dumps(encode(options.checkpoint, text.replace("\r", "") if FAULT == "tokenize" else text)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)

    def command(action, *arguments):
        sub = commands.add_parser(action.__name__)
        sub.set_defaults(action=action)
        sub.add_argument("checkpoint")
        for name, settings in arguments:
            sub.add_argument(name, **settings)

    flag, number, ids = dict(action="store_true"), dict(type=int), dict(type=parse_ids, default=[])
    command(logits, ("--tokens", ids), ("--layers", flag), ("--stepwise", flag), ("--output", {}))
    command(convert, ("out", {}), ("--attention-layers", {}), ("--window", number), ("--window-rule", {}),
            ("--gate-bias", dict(type=float)), ("--dtype", {}), ("--full-attention-layers", ids))
    command(verify, ("--source", {}))
    command(evaluate, ("--text", {}), ("--context", number), ("--tokens", number), ("--json", flag))
    command(generate, ("--prompt", {}), ("--max-tokens", number), ("--temperature", {}), ("--quiet", flag))
    command(tokenize)
    options = parser.parse_args()
    torch.set_num_threads(2)
    options.action(options)


if __name__ == "__main__":
    main()
