"""Cutting a model for Megatron's ranks and putting it together again, in PyTorch, from formats/megatron/README.md.

A model here is a dictionary of tensors by neutral names: "embedding", "head", "layers.3.query.weight",
"layers.3.experts.5.gate.weight", … `shard` gives {directory: {key: tensor or None}}, `assemble` goes back.
"""
import torch

NORMS = {"g_norm": "g_norm.weight", "q_norm": "q_layernorm.weight", "k_norm": "k_layernorm.weight"}


def directory(config, tp, pp, ep, t, p, e):
    return f"mp_rank_{t:02d}" + (f"_{p:03d}" if pp > 1 else "") + (f"_{e:03d}" if ep > 1 else "")


def padded(rows, tp):
    multiple = 128 * tp
    return -(-rows // multiple) * multiple


def pad(weight, tp):
    missing = padded(len(weight), tp) - len(weight)
    return torch.cat([weight, weight[-1:].expand(missing, -1)])


def by_group(config, q, k, v):
    """[groups, (queries per group + 2) heads of d rows, …] flattened."""
    kv, d = config["kv"], config["d"]
    rest = q.shape[1:]
    q, k, v = (x.reshape(kv, -1, d, *rest) for x in (q, k, v))
    return torch.cat([q, k, v], dim=1).reshape(-1, *rest)


def apart(config, packed):
    kv, d, rest = config["kv"], config["d"], packed.shape[1:]
    heads = packed.reshape(kv, -1, d, *rest)
    per = heads.shape[1] - 2
    return (heads[:, :per].reshape(-1, *rest), heads[:, per].reshape(-1, *rest),
            heads[:, per + 1].reshape(-1, *rest))


def rows(x, tp, t):
    return x.chunk(tp, dim=0)[t]


def columns(x, tp, t):
    return x.chunk(tp, dim=1)[t]


def halves(gate, up, tp, t):
    return torch.cat([rows(gate, tp, t), rows(up, tp, t)])


def feed_forward(model, prefix, put, tp, t, number=""):
    put("linear_fc1.weight" + number, halves(model[prefix + "gate.weight"], model[prefix + "up.weight"], tp, t))
    put("linear_fc2.weight" + number, columns(model[prefix + "down.weight"], tp, t))
    if prefix + "gate.bias" in model:
        put("linear_fc1.bias" + number, halves(model[prefix + "gate.bias"], model[prefix + "up.bias"], tp, t))
        put("linear_fc2.bias" + number, model[prefix + "down.bias"])


def shard(model, config, tp, pp, ep):
    """config: layers, kv, d, experts (0 for none), tied."""
    depth, files = config["layers"], {}
    for p in range(pp):
        for e in range(ep):
            for t in range(tp):
                file = {}
                if p == 0:
                    file["embedding.word_embeddings.weight"] = rows(pad(model["embedding"], tp), tp, t)
                    if "sinks" in model:
                        file["embedding.sink_embeddings.weight"] = model["sinks"]
                for local in range(depth // pp):
                    layer(model, config, file, p * (depth // pp) + local, local, (tp, t), (ep, e))
                if p == pp - 1:
                    file["decoder.final_layernorm.weight"] = model["norm"]
                    if not config["tied"]:
                        file["output_layer.weight"] = rows(pad(model["head"], tp), tp, t)
                    elif pp > 1:
                        file["output_layer.weight"] = rows(pad(model["embedding"], tp), tp, t)
                files[directory(config, tp, pp, ep, t, p, e)] = file
    return files


def layer(model, config, file, number, local, tensor, expert):
    (tp, t), (ep, e) = tensor, expert
    source, target = f"layers.{number}.", f"decoder.layers.{local}."
    attention = target + "self_attention."

    def get(name):
        return model.get(source + name)

    file[attention + "linear_qkv.layer_norm_weight"] = get("attn_norm")
    for kind in ("weight", "bias"):
        if get(f"query.{kind}") is not None:
            packed = by_group(config, get(f"query.{kind}"), get(f"key.{kind}"), get(f"value.{kind}"))
            file[f"{attention}linear_qkv.{kind}"] = rows(packed, tp, t)
    file[attention + "linear_proj.weight"] = columns(get("output.weight"), tp, t)
    if get("output.bias") is not None:
        file[attention + "linear_proj.bias"] = get("output.bias")
    for ours, theirs in NORMS.items():
        if get(ours) is not None:
            file[attention + theirs] = get(ours)
    if get("gate_low") is not None:
        file[attention + "gk_proj.0.weight"] = get("gate_low")
        file[attention + "gk_proj.1.weight"] = rows(get("gate_high.weight"), tp, t)
        file[attention + "gk_proj.1.bias"] = rows(get("gate_high.bias"), tp, t)
    if get("gate_merged.weight") is not None:
        file[attention + "gk_proj.weight"] = rows(get("gate_merged.weight"), tp, t)
        file[attention + "gk_proj.bias"] = rows(get("gate_merged.bias"), tp, t)
    if get("la_norm") is not None:
        file[attention + "la_norm.weight"] = rows(get("la_norm"), tp, t)
        file[attention + "sa_norm.weight"] = rows(get("sa_norm"), tp, t)
        file[attention + "branch_scale"] = get("branch_scale")
    states = [attention + "linear_qkv", attention + "linear_proj"]
    if get("router") is None:
        file[target + "mlp.linear_fc1.layer_norm_weight"] = get("ffn_norm")
        feed_forward(model, source, lambda name, x: file.update({target + "mlp." + name: x}), tp, t)
        states += [target + "mlp.linear_fc1", target + "mlp.linear_fc2"]
    else:
        file[target + "pre_mlp_layernorm.weight"] = get("ffn_norm")
        file[target + "mlp.router.weight"] = get("router")
        count = config["experts"] // ep
        for j in range(count):
            feed_forward(
                model, f"{source}experts.{e * count + j}.",
                lambda name, x: file.update({target + "mlp.experts." + name: x}), tp, t, str(j))
        states += [target + "mlp.experts.linear_fc1", target + "mlp.experts.linear_fc2"]
        if get("shared.gate.weight") is not None:
            feed_forward(
                model, source + "shared.",
                lambda name, x: file.update({target + "mlp.shared_experts." + name: x}), tp, t)
            states += [target + "mlp.shared_experts.linear_fc1", target + "mlp.shared_experts.linear_fc2"]
    for module in states:
        file[module + "._extra_state"] = None
