"""Control B of healing: some layers' attention replaced by a linear map of the layer's input, with no mixing of tokens.

    python linear_map_control.py CKPT --calibrate TEXT --evaluate TEXT [--layers 0,2,4,6]

What `heal --method ridge` does, with the map x -> attention output in place of gated linear attention: front to back,
inputs of the changed model, targets of the source, a segment's first token weighted 32, the ridge relative to the
Gram matrix's diagonal and chosen on held-out segments (the last tenth). The map has an intercept. A healed model uses
its recurrence only if it beats this one on the same tokens.
"""
import argparse
import json
import math

import torch

from checkpoint_io import load_source
from perplexity import encode, read_text

SINK, RIDGES = 32.0, (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def segments(checkpoint, path, tokens, context):
    """Whole segments [N, context] of the first `tokens` tokens of a text."""
    ids = encode(checkpoint, read_text(path))[:tokens]
    return torch.tensor(ids[:len(ids) // context * context]).view(-1, context)


def with_intercept(x):
    return torch.cat([x, torch.ones_like(x[..., :1])], -1)


class Streams:
    """The source's layers applied by hand to batches of segments."""

    def __init__(self, model, context):
        self.core, self.model = model.model, model
        position = torch.arange(context)[None]
        self.rotary = self.core.rotary_emb(torch.zeros(1), position)
        self.mask = torch.full((context, context), -torch.inf).triu(1)[None, None]

    def embed(self, ids):
        return [self.core.embed_tokens(part) for part in ids.split(8)]

    def attention(self, layer, hidden):
        block = self.core.layers[layer]
        return block.self_attn(hidden_states=block.input_layernorm(hidden), position_embeddings=self.rotary,
                               attention_mask=self.mask)[0]

    def feed_forward(self, layer, hidden):
        block = self.core.layers[layer]
        return hidden + block.mlp(block.post_attention_layernorm(hidden))

    def inputs(self, layer, hidden):
        return with_intercept(self.core.layers[layer].input_layernorm(hidden))

    def mix(self, layer, hidden, maps):
        return self.inputs(layer, hidden) @ maps[layer] if layer in maps else self.attention(layer, hidden)

    def logits(self, ids, maps):
        """Logits of one batch of segments with the layers in `maps` replaced."""
        hidden = self.core.embed_tokens(ids)
        for layer in range(len(self.core.layers)):
            hidden = self.feed_forward(layer, hidden + self.mix(layer, hidden, maps))
        return self.model.lm_head(self.core.norm(hidden))


def fit(inputs, targets, held):
    """(map [H+1, H], held-out relative error); the last `held` segments choose the ridge."""
    x, y = torch.cat(inputs).double(), torch.cat(targets).double()
    weight = torch.ones_like(x[..., :1])
    weight[:, 0] = SINK
    train, rest = slice(0, len(x) - held), slice(len(x) - held, len(x))
    flat = lambda tensor, part: tensor[part].flatten(0, 1)
    gram = flat(x, train).T @ flat(weight * x, train)
    cross = flat(x, train).T @ flat(weight * y, train)
    diagonal = gram.diagonal()
    best = None
    for ridge in RIDGES:
        matrix = torch.linalg.solve(gram + torch.diag(ridge * diagonal + 1e-10 * diagonal.mean()), cross)
        error = (weight[rest] * (x[rest] @ matrix - y[rest]) ** 2).sum().item()
        if best is None or error < best[1]:
            best = matrix, error
    return best[0].float(), best[1] / (weight[rest] * y[rest] ** 2).sum().item()


def heal(streams, ids, layers):
    """The maps of `layers`, fitted one after the other."""
    source, changed, maps = streams.embed(ids), streams.embed(ids), {}
    held = max(1, len(ids) // 10)
    for layer in range(max(layers) + 1):
        targets = [streams.attention(layer, hidden) for hidden in source]
        if layer in layers:
            maps[layer], error = fit([streams.inputs(layer, hidden) for hidden in changed], targets, held)
            print(f"layer {layer}: held-out error {error:.3f}", flush=True)
        changed = [streams.feed_forward(layer, hidden + streams.mix(layer, hidden, maps)) for hidden in changed]
        source = [streams.feed_forward(layer, hidden + target) for hidden, target in zip(source, targets)]
    return maps


def evaluate(streams, ids, maps):
    """Perplexities, their ratio, KL(source || changed) and top-1 agreement on segments `ids`."""
    nll, source_nll, divergence, equal, scored = 0.0, 0.0, 0.0, 0, 0
    for segment in ids:
        changed = streams.logits(segment[None], maps)[0, :-1].double().log_softmax(-1)
        source = streams.model(segment[None]).logits[0, :-1].double().log_softmax(-1)
        wanted = segment[1:, None]
        nll -= changed.gather(1, wanted).sum().item()
        source_nll -= source.gather(1, wanted).sum().item()
        divergence += (source.exp() * (source - changed)).sum().item()
        equal += (source.argmax(-1) == changed.argmax(-1)).sum().item()
        scored += len(wanted)
    return {"perplexity": math.exp(nll / scored), "source": math.exp(source_nll / scored),
            "ratio": math.exp((nll - source_nll) / scored), "kl": divergence / scored, "top1": equal / scored,
            "scored": scored}


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="the source: a directory or .gguf")
    parser.add_argument("--calibrate", required=True, help="a text")
    parser.add_argument("--evaluate", required=True, help="another text")
    parser.add_argument("--layers", default=None, help="layers to replace; default every second, from 0")
    parser.add_argument("--tokens", type=int, default=131072, help="of the calibration text")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--evaluate-tokens", type=int, default=None)
    parser.add_argument("--evaluate-context", type=int, default=None)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_source(options.checkpoint)
    count = model.config.num_hidden_layers
    layers = [int(n) for n in options.layers.split(",")] if options.layers else list(range(0, count, 2))
    calibration = segments(options.checkpoint, options.calibrate, options.tokens, options.context)
    maps = heal(Streams(model, options.context), calibration, layers)
    context = options.evaluate_context or options.context
    text = segments(options.checkpoint, options.evaluate, options.evaluate_tokens, context)
    streams = Streams(model, context)
    # The layers applied by hand are the model.
    error = (streams.logits(text[:1], {}) - model(text[:1]).logits).abs().max().item()
    assert error < 1e-3, error
    print(json.dumps(evaluate(streams, text, maps)))


if __name__ == "__main__":
    main()
