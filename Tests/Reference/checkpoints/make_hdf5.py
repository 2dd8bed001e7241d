"""Writes the vectors of HDF5 weights under formats/hdf5, with h5py: two valid files and a small model, and a tiny hostile file per
malformation.

What the reader must say about each hostile file is stated beside them in EXPECTED.txt. h5py's own writer makes them;
where it refuses to, bytes are changed afterwards.

    python make_hdf5.py
"""
import json
import struct
from pathlib import Path

import h5py
import numpy as np

FORMAT = Path(__file__).resolve().parents[3] / "formats" / "hdf5"
RAMP = np.arange(6).reshape(2, 3)


def bfloat16(values):
    """The upper halves of float32 numbers that need no more."""
    return (np.asarray(values, dtype="<f4").view("<u4") >> 16).astype("<u2")


def bf16_dataset(group, name, values, **options):
    dataset = group.create_dataset(name, data=bfloat16(values), **options)
    dataset.attrs["dtype"] = "bfloat16"


def types(file):
    for name in ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "i1", "u1"):
        file.create_dataset(np.dtype(name).name, data=RAMP.astype(name))
    bf16_dataset(file, "bfloat16", RAMP)
    # Keras stores bfloat16 as two opaque bytes.
    opaque = file.create_dataset("opaque", data=bfloat16(RAMP).view("V2"))
    opaque.attrs["dtype"] = np.bytes_("bfloat16")
    file.create_dataset("scalar", data=np.float32(2.5))
    file.create_dataset("empty", data=np.zeros((0, 3), "<f4"))
    big = np.arange(40 * 9, dtype="<f4").reshape(40, 9)
    file.create_dataset("chunked", data=big, chunks=(16, 4))
    file.create_dataset("deflate", data=big, chunks=(16, 4), compression="gzip", shuffle=True, fletcher32=True)
    bf16_dataset(file, "compressed.bfloat16", big, chunks=(40, 9), compression="gzip")
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((2, 3))
    dataset = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32LE, space, compact)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, RAMP.astype("<f4"))


def keras(file):
    """The groups of a Keras file: a layer with one variable, one with two, one in a layer."""
    file.create_dataset("layers/model.norm.weight/vars/0", data=RAMP[0].astype("<f4"))
    file.create_dataset("layers/dense/vars/0", data=RAMP.astype("<f4"))
    file.create_dataset("layers/dense/vars/1", data=RAMP[0].astype("<f4"))
    file.create_dataset("layers/block/norm/vars/0", data=RAMP[0].astype("<f4"))
    file.create_group("vars")


CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 16, "intermediate_size": 24,
    "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "hidden_act": "silu",
    "max_position_embeddings": 64, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "tie_word_embeddings": True,
    "vocab_size": 40, "torch_dtype": "bfloat16",
}


def model(file):
    """A whole model, its tensors stored in one piece, in chunks, and compressed in turn."""
    hidden, inner, key = CONFIG["hidden_size"], CONFIG["intermediate_size"], 8
    shapes = {"model.embed_tokens.weight": (CONFIG["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    for layer in range(CONFIG["num_hidden_layers"]):
        start = f"model.layers.{layer}."
        for name, rows, columns in (("self_attn.q_proj", hidden, hidden), ("self_attn.k_proj", key, hidden),
                                    ("self_attn.v_proj", key, hidden), ("self_attn.o_proj", hidden, hidden),
                                    ("mlp.gate_proj", inner, hidden), ("mlp.up_proj", inner, hidden),
                                    ("mlp.down_proj", hidden, inner)):
            shapes[f"{start}{name}.weight"] = (rows, columns)
            if name[10:] in ("q_proj", "k_proj", "v_proj"):
                shapes[f"{start}{name}.bias"] = (rows,)
        shapes[f"{start}input_layernorm.weight"] = shapes[f"{start}post_attention_layernorm.weight"] = (hidden,)
    draw = np.random.default_rng(0)
    forms = [{}, {"chunks": True}, {"compression": "gzip", "shuffle": True, "fletcher32": True}]
    for number, (name, shape) in enumerate(shapes.items()):
        bf16_dataset(file, name, draw.integers(-64, 65, shape) / 256, **forms[number % 3])


def plain(file):
    file.create_dataset("a", data=RAMP.astype("<f4"))


def dataset(data, attribute=None, **options):
    def write(file):
        made = file.create_dataset("a", data=data, **options)
        if attribute is not None:
            made.attrs["dtype"] = attribute
    return write


def soft_link(file):
    plain(file)
    file["b"] = h5py.SoftLink("/a")


def external_link(file):
    file["a"] = h5py.ExternalLink("plain.h5", "/a")


def external_group(file):
    file["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(file):
    file.create_dataset("a", shape=(2, 3), dtype="<f4", external=[("/etc/passwd", 0, 24)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(2, 3), dtype="<f4")
    layout[:] = h5py.VirtualSource("plain.h5", "a", shape=(2, 3))
    file.create_virtual_dataset("a", layout)


def cycle(file):
    group = file.create_group("g")
    group["again"] = group


def root_again(file):
    file["g"] = file["/"]


def nested(file):
    group = file
    for _ in range(40):
        group = group.create_group("g")


def committed_type(file):
    file["a"] = np.dtype("<f4")


def low_level(shape, prepare, type=h5py.h5t.IEEE_F32LE):
    """A dataset of which nothing is written."""
    def write(file):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        prepare(properties)
        h5py.h5d.create(file.id, b"a", type, h5py.h5s.create_simple(shape), properties)
    return write


HOSTILE = {
    "soft-link": soft_link,
    "external-link": external_link,
    "external-link-to-group": external_group,
    "external-storage": external_storage,
    "virtual-dataset": virtual,
    "group-in-itself": cycle,
    "root-in-itself": root_again,
    "groups-too-deep": nested,
    "committed-type": committed_type,
    "name-too-long": lambda file: file.create_dataset("a" * 1100, data=RAMP.astype("<f4")),
    "big-endian": dataset(RAMP.astype(">f4")),
    "unsigned-16-without-attribute": dataset(bfloat16(RAMP)),
    "attribute-of-other-type": dataset(bfloat16(RAMP), "float16"),
    "attribute-too-long": dataset(bfloat16(RAMP), "bfloat16" * 9),
    "attribute-a-number": dataset(bfloat16(RAMP), 16),
    "float32-said-to-be-bfloat16": dataset(RAMP.astype("<f4"), "bfloat16"),
    "boolean": dataset(RAMP > 2),
    "complex": dataset(RAMP.astype("<c8")),
    "compound": dataset(np.zeros(2, [("x", "<f4"), ("y", "<f4")])),
    "texts": dataset(np.array([b"one", b"two"])),
    "no-elements": dataset(h5py.Empty("<f4")),
    "nine-dimensions": dataset(np.zeros((1,) * 9, "<f4")),
    "filter-lzf": dataset(RAMP.astype("<f4"), compression="lzf"),
    "filter-scale-offset": dataset(RAMP.astype("<i4"), scaleoffset=0),
    "filter-unknown": low_level((2, 3), lambda p: (p.set_chunk((2, 3)), p.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (1, 2)))),
    "never-written": low_level((2, 3), lambda p: None),
    "never-written-in-chunks": low_level((2, 3), lambda p: p.set_chunk((1, 3))),
    "chunk-of-a-gigabyte": low_level((1 << 40,), lambda p: p.set_chunk((1 << 28,))),
    "chunk-of-one-byte": low_level((1 << 30,), lambda p: p.set_chunk((1,)), h5py.h5t.STD_I8LE),
    "chunked-beyond-limit": low_level((1 << 40,), lambda p: p.set_chunk((1 << 20,))),
    "size-overflows": low_level((1 << 40, 1 << 40), lambda p: p.set_chunk((1, 1))),
}

VALID = {"types": types, "keras": keras}


def write(path, fill):
    with h5py.File(path, "w", libver="earliest") as file:
        fill(file)


def expanding(path):
    """200 MB of zeros, one chunk of 32 MB deflated twice: 70 bytes each."""
    with h5py.File(path, "w", libver="earliest") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((8 << 20,))
        properties.set_deflate(9)
        properties.set_deflate(9)
        made = h5py.h5d.create(
            file.id, b"a", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((48 << 20,)), properties)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.zeros(48 << 20, "<f4"))


def damaged():
    """A sound file, and copies with bytes changed."""
    path = FORMAT / "sound.h5"
    write(path, lambda file: file.create_dataset(
        "a", data=np.arange(64, dtype="<f4"), chunks=(64,), compression="gzip", fletcher32=True))
    sound = path.read_bytes()
    place = sound.rindex(b"\x78\x5e") if b"\x78\x5e" in sound else len(sound) - 40
    yield "checksum", sound[:place + 30] + bytes([sound[place + 30] ^ 1]) + sound[place + 31:]
    yield "truncated", sound[:-20]
    yield "superblock-alone", sound[:96]
    yield "signature-alone", sound[:8]
    yield "signature-wrong", b"\x88" + sound[1:]
    yield "superblock-version", sound[:8] + b"\x09" + sound[9:]
    write(path, plain)
    sound = path.read_bytes()
    values = RAMP.astype("<f4").tobytes()
    assert sound.count(values) == 1
    address = struct.pack("<QQ", sound.index(values), len(values))
    assert sound.count(address) == 1
    yield "address-beyond-file", sound.replace(address, struct.pack("<QQ", 1 << 40, len(values)))
    yield "address-near-overflow", sound.replace(address, struct.pack("<QQ", (1 << 64) - 16, len(values)))
    yield "storage-shorter-than-shape", sound.replace(address, address[:8] + struct.pack("<Q", 8))
    path.unlink()


for folder in ("valid", "hostile"):
    (FORMAT / folder).mkdir(parents=True, exist_ok=True)
    for old in (FORMAT / folder).glob("*.h5"):
        old.unlink()
for name, fill in VALID.items():
    write(FORMAT / "valid" / f"{name}.h5", fill)
folder = FORMAT / "valid" / "model"
folder.mkdir(exist_ok=True)
(folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
write(folder / "model.weights.h5", model)
for name, fill in HOSTILE.items():
    write(FORMAT / "hostile" / f"{name}.h5", fill)
expanding(FORMAT / "hostile" / "zip-bomb.h5")
for name, data in damaged():
    (FORMAT / "hostile" / f"{name}.h5").write_bytes(data)
