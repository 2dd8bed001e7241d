"""Writes the hostile vectors under formats/*/hostile: one tiny file per malformation.

What the readers must say about each one is stated beside them in EXPECTED.txt; the tests hold
them to it. Needs nothing but Python. Run from anywhere; keeps EXPECTED.txt.
"""

import hashlib
import json
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3] / "formats"


# Safetensors

def safetensors(header, data=b"", length=None):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


EIGHT = bytes(8)
SAFETENSORS = {
    "shorter-than-eight-bytes": b"\x02\0\0\0",
    "header-longer-than-file": safetensors({"a": entry()}, length=1000),
    "header-over-limit": safetensors(b"{}", length=100_000_001),
    "header-length-of-all-ones": safetensors(b"{}", length=2**64 - 1),
    "header-empty": safetensors(b""),
    "header-starts-with-space": safetensors(b" {}"),
    "header-is-array": safetensors(b"[]"),
    "header-cut-short": safetensors(b'{"a":'),
    "header-not-utf8": safetensors(b'{"\xff":1}'),
    "header-then-text": safetensors(b"{} x"),
    "header-nested-too-deep": safetensors(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"),
    "duplicate-name": safetensors(
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"\0"),
    "duplicate-dtype": safetensors(
        b'{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', b"\0"),
    "metadata-not-object": safetensors({"__metadata__": []}),
    "metadata-value-not-string": safetensors({"__metadata__": {"a": 1}}),
    "tensor-not-object": safetensors({"a": 1}),
    "dtype-missing": safetensors({"a": {"shape": [2], "data_offsets": [0, 8]}}, EIGHT),
    "dtype-unknown": safetensors({"a": entry("F8_E8M0", (8,))}, EIGHT),
    "dtype-quantised": safetensors({"a": entry("Q8_0", (32,), (0, 34))}, bytes(34)),
    "shape-missing": safetensors({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, EIGHT),
    "shape-negative": safetensors({"a": entry(shape=(-2,))}, EIGHT),
    "shape-fraction": safetensors({"a": entry(shape=(2.0,))}, EIGHT),
    "shape-string": safetensors({"a": entry(shape=("2",))}, EIGHT),
    "shape-over-64-bits": safetensors({"a": entry(shape=(2**64,))}, EIGHT),
    "shape-product-overflows": safetensors({"a": entry(shape=(2**33, 2**33))}, EIGHT),
    "size-overflows": safetensors({"a": entry(shape=(2**61 + 2,))}, EIGHT),
    "offsets-missing": safetensors({"a": {"dtype": "F32", "shape": [2]}}, EIGHT),
    "offsets-of-three": safetensors({"a": entry(offsets=(0, 4, 8))}, EIGHT),
    "offsets-negative": safetensors({"a": entry(offsets=(-8, 0))}, EIGHT),
    "offsets-reversed": safetensors({"a": entry(offsets=(8, 0))}, EIGHT),
    "offsets-not-size": safetensors({"a": entry(offsets=(0, 7))}, EIGHT),
    "offsets-near-overflow": safetensors(
        {"a": entry("U8", (1,), (2**63 - 2, 2**63 - 1))}, EIGHT),
    "gap-at-start": safetensors({"a": entry(offsets=(4, 12))}, bytes(12)),
    "gap-between": safetensors({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)),
    "overlap": safetensors({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    "same-bytes-twice": safetensors({"a": entry(), "b": entry()}, EIGHT),
    "data-truncated": safetensors({"a": entry()}, bytes(5)),
    "data-absent": safetensors({"a": entry()}),
    "bytes-after-last-tensor": safetensors({"a": entry()}, bytes(9)),
    "no-tensors-but-bytes": safetensors({}, b"\0"),
}


# GGUF

def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value)) + value


def key(name, kind, payload):
    return text(name) + struct.pack("<I", kind) + payload


def tensor(name="a", dims=(2,), kind=0, offset=0):
    return (text(name) + struct.pack("<I", len(dims))
            + b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", kind, offset))


def gguf(keys=(), tensors=(), data=b"", version=3, magic=b"GGUF", key_count=None,
         tensor_count=None, alignment=32):
    out = magic + struct.pack(
        "<IQQ", version, len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count)
    out += b"".join(keys) + b"".join(tensors)
    if tensors or data:
        out += bytes(-len(out) % alignment) + data
    return out


def array(kind, count, payload=b""):
    return struct.pack("<IQ", kind, count) + payload


ONE = gguf(tensors=[tensor()], data=EIGHT)
GGUF = {
    "magic-wrong": gguf(magic=b"GGML"),
    "magic-cut-short": b"GG",
    "version-cut-short": b"GGUF\x03",
    "version-1": gguf(version=1),
    "version-4": gguf(version=4),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "counts-cut-short": ONE[:20],
    "key-count-over-limit": gguf(key_count=2**40),
    "key-count-beyond-file": gguf([key("a", 0, b"\0")], key_count=2),
    "key-length-over-limit": gguf([struct.pack("<Q", 2**16)]),
    "key-length-beyond-file": gguf([struct.pack("<Q", 100) + b"a"]),
    "key-not-utf8": gguf([key(b"\xff", 0, b"\0")]),
    "key-twice": gguf([key("a", 0, b"\0"), key("a", 0, b"\1")]),
    "value-type-unknown": gguf([key("a", 13, EIGHT)]),
    "value-cut-short": gguf([key("a", 10, b"\0\0")]),
    "bool-not-0-or-1": gguf([key("a", 7, b"\2")]),
    "string-over-limit": gguf([key("a", 8, struct.pack("<Q", 2**40))]),
    "string-beyond-file": gguf([key("a", 8, struct.pack("<Q", 100) + b"b")]),
    "string-not-utf8": gguf([key("a", 8, text(b"\xc3\x28"))]),
    "array-over-limit": gguf([key("a", 9, array(0, 2**62))]),
    "array-beyond-file": gguf([key("a", 9, array(10, 3, bytes(16)))]),
    "array-of-unknown-type": gguf([key("a", 9, array(77, 1, EIGHT))]),
    "array-nested-too-deep": gguf([key("a", 9, array(9, 1) * 10 + array(0, 1, b"\0"))]),
    "alignment-zero": gguf([key("general.alignment", 4, struct.pack("<I", 0))]),
    "alignment-not-power-of-two": gguf([key("general.alignment", 4, struct.pack("<I", 24))]),
    "alignment-a-string": gguf([key("general.alignment", 8, text("32"))]),
    "split-file": gguf([key("split.count", 2, struct.pack("<H", 3))]),
    "tensor-count-over-limit": gguf(tensor_count=2**50),
    "tensor-count-beyond-file": gguf(tensors=[tensor()], tensor_count=2),
    "tensor-name-too-long": gguf(tensors=[tensor("a" * 65)], data=EIGHT),
    "tensor-name-not-utf8": gguf(tensors=[tensor(b"\xff")], data=EIGHT),
    "tensor-twice": gguf(tensors=[tensor(), tensor(offset=32)], data=bytes(40)),
    "tensor-of-five-dimensions": gguf(tensors=[tensor(dims=(1, 1, 1, 1, 2))], data=EIGHT),
    "tensor-dimension-over-63-bits": gguf(tensors=[tensor(dims=(2**63,))], data=EIGHT),
    "tensor-product-overflows": gguf(tensors=[tensor(dims=(2**33, 2**33))], data=EIGHT),
    "tensor-row-not-whole-blocks": gguf(tensors=[tensor(dims=(48, 2), kind=8)], data=bytes(102)),
    "tensor-type-not-supported": gguf(tensors=[tensor(dims=(256,), kind=40)], data=bytes(144)),
    "tensor-type-unknown": gguf(tensors=[tensor(kind=999)], data=EIGHT),
    "tensor-misaligned": gguf(tensors=[tensor(offset=8)], data=bytes(16)),
    "tensor-offset-near-overflow": gguf(tensors=[tensor(offset=2**64 - 32)], data=EIGHT),
    "tensors-overlap": gguf(tensors=[tensor(dims=(16,)), tensor("b", offset=32)], data=bytes(64)),
    "data-truncated": gguf(tensors=[tensor()], data=bytes(5)),
    "data-absent": gguf(tensors=[tensor()]),
}

# Manifests

DIGEST = "00" * 32
FILE = {"name": "model.safetensors", "bytes": 100, "sha256": DIGEST}
TENSOR = {"name": "a", "dtype": "F32", "shape": [2], "file": "model.safetensors", "offset": 64,
          "bytes": 8, "from": {"tensors": ["b"], "transform": {"kind": "copy"}}}
MANIFEST = {"format": "spikingbrain-manifest", "version": 2,
            "tool": {"name": "spikingbrain", "version": "1"}, "source": {}, "recipe": {},
            "files": [FILE], "tensors": [TENSOR]}


def seal(content):
    """The manifest with the digest of all its other members, in their order."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return {**content, "manifest_sha256": hashlib.sha256(text.encode()).hexdigest()}


def manifest(**changes):
    return json.dumps({**MANIFEST, **changes}).encode()


def transformed(transform):
    """The tensor, made by another transform."""
    return {**TENSOR, "from": {"tensors": ["b"], "transform": transform}}


def without(field):
    return json.dumps({k: v for k, v in MANIFEST.items() if k != field}).encode()


MANIFESTS = {
    "changed-after-it-was-written": json.dumps(
        {**seal(MANIFEST), "recipe": {"step": "heal"}}).encode(),
    "not-json": b"{",
    "other-format": manifest(format="other"),
    "other-version": manifest(version=3),
    "tool-missing": without("tool"),
    "source-missing": without("source"),
    "recipe-missing": without("recipe"),
    "files-not-array": manifest(files={}),
    "tensors-missing": without("tensors"),
    "file-outside": manifest(files=[{**FILE, "name": "../model.safetensors"}]),
    "file-absolute": manifest(files=[{**FILE, "name": "/model.safetensors"}]),
    "file-twice": manifest(files=[FILE, FILE]),
    "file-bytes-negative": manifest(files=[{**FILE, "bytes": -1}]),
    "file-digest-short": manifest(files=[{**FILE, "sha256": "00"}]),
    "file-digest-not-hex": manifest(files=[{**FILE, "sha256": "zz" * 32}]),
    "tensor-twice": manifest(tensors=[TENSOR, TENSOR]),
    "tensor-of-unlisted-file": manifest(tensors=[{**TENSOR, "file": "other"}]),
    "tensor-beyond-file": manifest(tensors=[{**TENSOR, "offset": 93}]),
    "tensor-offset-huge": manifest(tensors=[{**TENSOR, "offset": 2**63 - 1}]),
    "tensor-size-not-shape": manifest(tensors=[{**TENSOR, "shape": [3]}]),
    "tensor-dtype-unknown": manifest(tensors=[{**TENSOR, "dtype": "F7"}]),
    "tensor-without-origin": manifest(
        tensors=[{k: v for k, v in TENSOR.items() if k != "from"}]),
    "transform-in-words": manifest(tensors=[transformed("copy")]),
    "transform-in-version-1": manifest(version=1),
    "transform-without-kind": manifest(tensors=[transformed({"value": 0})]),
    "transform-kind-empty": manifest(tensors=[transformed({"kind": ""})]),
    "transform-kind-no-text": manifest(tensors=[transformed({"kind": 7})]),
}

for folder, suffix, vectors in [("safetensors", ".safetensors", SAFETENSORS),
                                ("gguf", ".gguf", GGUF), ("manifest", ".json", MANIFESTS)]:
    hostile = ROOT / folder / "hostile"
    hostile.mkdir(parents=True, exist_ok=True)
    for old in hostile.glob("*" + suffix):
        old.unlink()
    for name, data in vectors.items():
        (hostile / (name + suffix)).write_bytes(data)
valid = ROOT / "manifest" / "valid"
valid.mkdir(parents=True, exist_ok=True)
VALID = {
    "manifest": {**MANIFEST, "tensors": [transformed(
        {"kind": "cast", "from": "bfloat16", "to": "float32"})]},
    # What earlier versions wrote, which is still read.
    "version-1": {**MANIFEST, "version": 1, "tensors": [transformed("cast from bfloat16")]},
}
for name, content in VALID.items():
    (valid / (name + ".json")).write_text(json.dumps(seal(content), indent=2) + "\n")
