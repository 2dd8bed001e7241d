"""Exports for Megatron's ranks against an oracle written from formats/megatron/README.md.

    python check_megatron.py PROGRAM WORK [--only dense,tied,hybrid,experts] [--quick]

Seeded models of 8 layers, 8 query and 4 key/value heads of 32 channels, a vocabulary of 1001; a dense Qwen2, a
tied Llama with biases, the 7B layout, and our layout with 16 experts, a shared one, parallel branches and sinks.
For TP 1, 2, 4 x PP 1, 2, 4 (x EP 1, 2, 8 with experts): directories, keys, types, shapes and bytes of every rank,
with torch.load both ways; the archives' checksums; the same model back in one form, from our files and from
files that torch.save wrote. Prints one line per model; exit 1 on a difference.
"""
import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent / "megatron"))
import oracle  # noqa: E402

LAYERS, HEADS, KV, D, VOCABULARY, HIDDEN, WIDTH, EXPERTS, EXPERT_WIDTH = 8, 8, 4, 32, 1001, 256, 192, 16, 48
BASE = {"vocab_size": VOCABULARY, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV, "intermediate_size": WIDTH, "max_position_embeddings": 512, "bos_token_id": 1,
        "eos_token_id": 2, "rope_theta": 10000.0, "torch_dtype": "bfloat16"}


class Maker:
    """Random tensors under neutral names and under those of a Hugging Face directory."""

    def __init__(self, seed, dtype):
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype, self.model, self.named = dtype, {}, {}

    def __call__(self, neutral, name, *shape):
        value = (torch.randn(*shape, generator=self.generator) * 0.05).to(self.dtype)
        self.model[neutral] = self.named[name] = value

    def linear(self, neutral, name, out, inputs, bias):
        self(neutral + ".weight", name + ".weight", out, inputs)
        if bias:
            self(neutral + ".bias", name + ".bias", out)

    def feed_forward(self, neutral, name, width, bias):
        for role, out, inputs in (("gate", width, HIDDEN), ("up", width, HIDDEN), ("down", HIDDEN, width)):
            self.linear(neutral + role, f"{name}{role}_proj", out, inputs, bias)


def transformer(make, layer, prefix, qkv_bias, o_bias):
    neutral = f"layers.{layer}."
    for role, short, out in (("query", "q", HEADS * D), ("key", "k", KV * D), ("value", "v", KV * D)):
        make.linear(neutral + role, f"{prefix}{short}_proj", out, HIDDEN, qkv_bias)
    make.linear(neutral + "output", prefix + "o_proj", HIDDEN, HEADS * D, o_bias)


def dense(kind):
    tied = kind == "tied"
    make = Maker(1 + tied, torch.float32 if tied else torch.bfloat16)
    make("embedding", "model.embed_tokens.weight", VOCABULARY, HIDDEN)
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        make(f"layers.{i}.attn_norm", p + "input_layernorm.weight", HIDDEN)
        transformer(make, i, p + "self_attn.", True, tied)
        make(f"layers.{i}.ffn_norm", p + "post_attention_layernorm.weight", HIDDEN)
        make.feed_forward(f"layers.{i}.", p + "mlp.", WIDTH, tied)
    make("norm", "model.norm.weight", HIDDEN)
    if not tied:
        make("head", "lm_head.weight", VOCABULARY, HIDDEN)
    config = BASE | {"model_type": "llama" if tied else "qwen2", "hidden_act": "silu", "rms_norm_eps": 1e-6,
                     "architectures": ["LlamaForCausalLM" if tied else "Qwen2ForCausalLM"],
                     "tie_word_embeddings": tied, "head_dim": D}
    if tied:
        config |= {"attention_bias": True, "mlp_bias": True, "torch_dtype": "float32"}
    return make, config, {"layers": LAYERS, "kv": KV, "d": D, "experts": 0, "tied": tied}


def converted(kind):
    moe = kind == "experts"
    make = Maker(3 + moe, torch.bfloat16)
    mixers = ["parallel", "gla", "window", "parallel-full"] * 2 if moe else ["gla", "window"] * 4
    ffn = ["dense", "moe", "dense", "moe", "moe", "moe", "moe", "moe"] if moe else ["dense"] * LAYERS
    make("embedding", "model.embeddings.weight", VOCABULARY, HIDDEN)
    if moe:
        make("sinks", "model.sink_tokens", 5, HIDDEN)
    for i in range(LAYERS):
        n, p = f"layers.{i}.", f"model.layers.{i}."
        make(n + "attn_norm", p + "attn_norm.weight", HIDDEN)
        transformer(make, i, p + "attn.", True, False)
        if moe:
            make(n + "q_norm", p + "attn.q_norm.weight", D)
            make(n + "k_norm", p + "attn.k_norm.weight", D)
        if mixers[i] == "gla":
            make(n + "gate_low", p + "attn.gk_proj.0.weight", 16, HIDDEN)
            make(n + "gate_high.weight", p + "attn.gk_proj.1.weight", KV * D, 16)
            make(n + "gate_high.bias", p + "attn.gk_proj.1.bias", KV * D)
            make(n + "g_norm", p + "attn.g_norm.weight", D)
        if mixers[i].startswith("parallel"):
            make(n + "la_norm", p + "attn.la_norm.weight", HEADS, D)
            make(n + "sa_norm", p + "attn.sa_norm.weight", HEADS, D)
            make(n + "branch_scale", p + "attn.branch_scale", 2)
        make(n + "ffn_norm", p + "mlp_norm.weight", HIDDEN)
        if ffn[i] == "moe":
            make(n + "router", p + "mlp.gate.weight", EXPERTS, HIDDEN)
            for e in range(EXPERTS):
                make.feed_forward(f"{n}experts.{e}.", f"{p}mlp.experts.{e}.", EXPERT_WIDTH, False)
            make.feed_forward(n + "shared.", p + "mlp.shared_expert.", EXPERT_WIDTH, False)
        else:
            make.feed_forward(n, p + "mlp.", WIDTH, False)
    make("norm", "model.norm.weight", HIDDEN)
    make("head", "lm_head.weight", VOCABULARY, HIDDEN)
    config = BASE | {"model_type": "spikingbrain" if moe else "gla_swa", "hidden_act": "swish", "norm_eps": 1e-6,
                     "architectures": ["SpikingBrainForCausalLM" if moe else "GLAswaForCausalLM"],
                     "sliding_window": 16, "tie_word_embeddings": False}
    if moe:
        config |= {"layout_version": 1, "head_dim": D, "mixer": mixers, "ffn": ffn, "qk_norm": True, "qkv_bias": True,
                   "o_proj_bias": False, "mlp_bias": False, "num_experts": EXPERTS, "num_experts_per_tok": 1,
                   "num_shared_experts": 1, "moe_intermediate_size": EXPERT_WIDTH, "num_sink_tokens": 5,
                   "branch_norm_eps": 1e-6}
    else:
        config["attn_layers"] = [1, 3, 5, 7]
    return make, config, {"layers": LAYERS, "kv": KV, "d": D, "experts": EXPERTS if moe else 0, "tied": False}


def same(got, expected):
    """Equal keys, types, shapes and bytes; the first difference, or nothing."""
    if set(got) != set(expected):
        return f"keys {sorted(set(got) ^ set(expected))[:4]}"
    for key, value in expected.items():
        other = got[key]
        if value is None or other is None:
            if value is not other:
                return f"{key} is not None"
        elif other.dtype != value.dtype or other.shape != value.shape:
            return f"{key} is {other.dtype} {list(other.shape)}, not {value.dtype} {list(value.shape)}"
        elif not torch.equal(other.contiguous().view(torch.uint8).flatten(),
                             value.contiguous().view(torch.uint8).flatten()):
            return f"{key} holds other bytes"
    return None


class Check:
    def __init__(self, program, work):
        self.program, self.work, self.counts = program, work, {}

    def run(self, *arguments, fails=None):
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if fails is None:
            assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        else:
            assert result.returncode == 2 and fails in result.stderr, f"{arguments}: {result.stdout}{result.stderr}"

    def files(self, root, expected, config, topology):
        tp, pp, ep = topology
        assert (root / "latest_checkpointed_iteration.txt").read_text() == "release"
        found = sorted(path.name for path in (root / "release").iterdir())
        assert found == sorted(expected), (found, sorted(expected))
        for name, tensors in expected.items():
            path = root / "release" / name / "model_optim_rng.pt"
            assert zipfile.ZipFile(path).testzip() is None, path
            with torch.serialization.safe_globals([argparse.Namespace]):
                loaded = [torch.load(path, map_location="cpu", weights_only=True)]
            loaded.append(torch.load(path, map_location="cpu", weights_only=False, mmap=True))
            for file in loaded:
                assert list(file) == ["args", "checkpoint_version", "iteration", "model"], list(file)
                assert file["checkpoint_version"] == 3.0 and type(file["checkpoint_version"]) is float
                assert file["iteration"] == 0
                args = file["args"]
                assert type(args) is argparse.Namespace
                assert (args.tensor_model_parallel_size, args.pipeline_model_parallel_size,
                        args.expert_model_parallel_size) == topology
                assert (args.num_layers, args.hidden_size, args.ffn_hidden_size) == (LAYERS, HIDDEN, WIDTH)
                assert (args.num_attention_heads, args.num_query_groups, args.kv_channels) == (HEADS, KV, D)
                assert (args.vocab_size, args.padded_vocab_size) == (VOCABULARY, oracle.padded(VOCABULARY, tp))
                assert args.num_experts == (config["experts"] or None)
                assert args.untie_embeddings_and_output_weights is not config["tied"]
                difference = same(file["model"], tensors)
                assert difference is None, f"{path}: {difference}"
                self.counts["tensors"] = self.counts.get("tensors", 0) + len(tensors)

    def model(self, kind, quick):
        make, config, shape = dense(kind) if kind in ("dense", "tied") else converted(kind)
        source = self.work / kind
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir(parents=True)
        (source / "config.json").write_text(json.dumps(config, indent=2))
        save_file(make.named, source / "model.safetensors", metadata={"format": "pt"})
        one = self.work / f"{kind}-one"
        self.run("export", source, one, "--profile", "spikingbrain", "--force")
        difference = same(load_file(one / "model.safetensors"), make.named)
        assert difference is None, difference
        topologies = [(tp, pp, ep) for tp in (1, 2, 4) for pp in (1, 2, 4)
                      for ep in ((1, 2, 8) if shape["experts"] else (1,))]
        if quick:
            topologies = topologies[:: max(1, len(topologies) // 4)]
        for index, (tp, pp, ep) in enumerate(topologies):
            out, back = self.work / "out", self.work / "back"
            ranks = ("--tp", tp, "--pp", pp, "--ep", ep)
            self.run("export", source, out, "--profile", "megatron-torch", *ranks, "--force")
            expected = oracle.shard(make.model, shape, tp, pp, ep)
            self.files(out, expected, shape, (tp, pp, ep))
            self.run("export", out, back, "--profile", "spikingbrain", "--force")
            for name in ("model.safetensors", "config.json"):
                assert (back / name).read_bytes() == (one / name).read_bytes(), f"{kind} {tp, pp, ep}: {name}"
            if index % 3 == 0:
                self.run("verify", out, "--source", source)
            # The same files as torch.save writes them.
            for name, tensors in expected.items():
                path = out / "release" / name / "model_optim_rng.pt"
                file = torch.load(path, weights_only=False)
                file["model"] = {key: None if x is None else x.clone() for key, x in tensors.items()}
                path.unlink()
                torch.save(file, path)
            self.run("export", out, back, "--profile", "spikingbrain", "--force")
            assert (back / "model.safetensors").read_bytes() == (one / "model.safetensors").read_bytes()
        if not shape["experts"]:
            self.run("export", source, self.work / "no", "--profile", "megatron-torch", "--ep", 2, fails="--ep 2")
        for option, ranks in (("--tp", 8), ("--pp", 3), ("--tp", 3)):
            self.run("export", source, self.work / "no", "--profile", "megatron-torch", option, ranks, fails=option)
        assert not (self.work / "no").exists()
        print(f"ok {kind}: {len(topologies)} topologies", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", default="dense,tied,hybrid,experts")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    check = Check(options.program, options.work)
    for kind in options.only.split(","):
        check.model(kind, options.quick)
    print(f"{check.counts['tensors']} tensors of ranks equal")


if __name__ == "__main__":
    main()
