"""A carved checkpoint against its dense source in PyTorch, which knows the partition and the routers only.

    python check_carving.py --program PROGRAM --source DIR --carved DIR --calibrate TEXT --evaluate TEXT

The source is run with the neurons of the experts that are not chosen set to zero: perplexity must be what `evaluate`
says of the carved checkpoint. Every expert must hold the recorded rows and columns bit for bit, each neuron once, and
the first carved layer's router must be the ridge regression of what its experts add, in float64.
"""
import argparse
import json
import math
import subprocess
from pathlib import Path

import torch

from checkpoint_io import TensorFiles, load_source, read_config
from linear_map_control import Streams, segments

RIDGES, MASSIVE = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1), 16


class Masked(Streams):
    """The dense model, of whose neurons a token keeps those of the shared and of the chosen experts."""

    def __init__(self, model, context, directory):
        super().__init__(model, context)
        config, files = read_config(directory), TensorFiles(directory)
        manifest = json.loads((Path(directory) / "manifest.json").read_text(encoding="utf-8"))
        self.shared, self.size = config["shared_expert_intermediate_size"], config["moe_intermediate_size"]
        self.count, self.chosen = config["num_experts"], config["num_experts_per_tok"]
        assert config["routing_weights"] == "one"
        self.files = files
        self.orders = {layer["layer"]: torch.tensor(layer["neurons"])
                       for layer in manifest["recipe"]["fit"]["layers"]}
        self.routers = {n: files.take(f"model.layers.{n}.mlp.gate.weight").float() for n in self.orders}

    def neurons(self, layer, x):
        mlp = self.core.layers[layer].mlp
        return mlp.act_fn(mlp.gate_proj(x)) * mlp.up_proj(x)

    def feed_forward(self, layer, hidden):
        if layer not in self.orders:
            return super().feed_forward(layer, hidden)
        block = self.core.layers[layer]
        x = block.post_attention_layernorm(hidden)
        chosen = (x @ self.routers[layer].T).topk(self.chosen, -1).indices
        routed = torch.zeros(*x.shape[:-1], self.count).scatter_(-1, chosen, 1.0).repeat_interleave(self.size, -1)
        kept = torch.empty_like(neurons := self.neurons(layer, x))
        kept[..., self.orders[layer]] = torch.cat([torch.ones(*x.shape[:-1], self.shared), routed], -1)
        return hidden + block.mlp.down_proj(neurons * kept)

    def check_experts(self):
        """Every neuron once, and its weights bit for bit."""
        for layer, order in self.orders.items():
            mlp, width = self.core.layers[layer].mlp, self.core.layers[layer].mlp.gate_proj.weight.shape[0]
            assert sorted(order.tolist()) == list(range(width)), f"layer {layer}: not a partition"
            owners = [("shared_expert", order[:self.shared])] + [
                (f"experts.{e}", part) for e, part in enumerate(order[self.shared:].split(self.size))]
            for owner, neurons in owners:
                for role, wanted in (("gate", mlp.gate_proj.weight[neurons]), ("up", mlp.up_proj.weight[neurons]),
                                     ("down", mlp.down_proj.weight[:, neurons])):
                    found = self.files.take(f"model.layers.{layer}.mlp.{owner}.{role}_proj.weight")
                    assert torch.equal(found.float(), wanted), f"layer {layer} {owner} {role}"

    def router_difference(self, ids):
        """How far the first carved layer's router is from the nearest ridge solution, relative to it."""
        layer = min(self.orders)
        hidden = self.core.embed_tokens(ids)
        for n in range(layer):
            hidden = self.feed_forward(n, hidden + self.attention(n, hidden))
        hidden = hidden + self.attention(layer, hidden)
        norms = hidden.norm(dim=-1)
        massive = norms > MASSIVE * norms.sort(-1).values[:, norms.shape[1] // 2, None]
        massive[:, 0] = True
        training = slice(0, len(ids) - max(1, min(len(ids) // 10, 16)))
        block = self.core.layers[layer]
        x = block.post_attention_layernorm(hidden)[training][~massive[training]].double()
        power = self.neurons(layer, x.float()).double() ** 2 * block.mlp.down_proj.weight.double().square().sum(0)
        goal = power[:, self.orders[layer][self.shared:]].view(len(x), self.count, self.size).sum(-1).sqrt()
        gram, cross, found = x.T @ x, x.T @ goal, self.routers[layer].double()
        diagonal = gram.diagonal()
        solutions = [torch.linalg.solve(gram + torch.diag(r * diagonal + 1e-10 * diagonal.mean()), cross).T
                     for r in RIDGES]
        return min(((s - found).norm() / s.norm()).item() for s in solutions)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--carved", required=True)
    parser.add_argument("--calibrate", required=True, help="the text it was carved on, with the same tokens and context")
    parser.add_argument("--evaluate", required=True)
    parser.add_argument("--tokens", type=int, default=65536)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--evaluate-tokens", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = Masked(load_source(options.source), options.context, options.carved)
    model.check_experts()
    difference = model.router_difference(
        segments(options.source, options.calibrate, options.tokens, options.context))
    text = segments(options.source, options.evaluate, options.evaluate_tokens, options.context)
    loss, scored = 0.0, 0
    for segment in text:
        likely = model.logits(segment[None], {})[0, :-1].double().log_softmax(-1)
        loss -= likely.gather(1, segment[1:, None]).sum().item()
        scored += len(segment) - 1
    got = json.loads(subprocess.run(
        [options.program, "evaluate", options.carved, "--text", options.evaluate, "--context", str(options.context),
         "--tokens", str(len(text) * options.context), "--json", "--quiet"],
        check=True, capture_output=True).stdout)["perplexity"]
    expected = math.exp(loss / scored)
    print(f"perplexity {got:.4f}, PyTorch {expected:.4f}; router differs by {difference:.1e}")
    # A router stored in bfloat16 is off by 2e-3; ties of rounding send a token elsewhere now and then.
    assert abs(got / expected - 1) < 1e-3 and difference < 5e-3


if __name__ == "__main__":
    main()
