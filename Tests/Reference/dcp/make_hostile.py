"""Writes the vectors under formats/dcp/hostile: a directory per malformation. Needs nothing but Python.

Descriptions are pickled from classes that carry PyTorch's names, or put together from instructions.
What the reader must say about each one is stated beside them in EXPECTED.txt.
"""

import io
import os
import pickle
import shutil
import struct
import sys
import types
import zipfile
from pathlib import Path

HOSTILE = Path(__file__).resolve().parents[3] / "formats" / "dcp" / "hostile"
METADATA = "torch.distributed.checkpoint.metadata"


def stand_in(module, name, **members):
    if module not in sys.modules:
        sys.modules[module] = types.ModuleType(module)
    made = type(name, (), {"__module__": module, **members})
    setattr(sys.modules[module], name, made)
    return made


def with_attributes(self, **attributes):
    self.__dict__.update(attributes)


for part in ["torch", "torch.distributed", "torch.distributed.checkpoint"]:
    sys.modules[part] = types.ModuleType(part)
Metadata = stand_in(METADATA, "Metadata", __init__=with_attributes)
Tensor = stand_in(METADATA, "TensorStorageMetadata", __init__=with_attributes)
Bytes = stand_in(METADATA, "BytesStorageMetadata")
Chunk = stand_in(METADATA, "ChunkStorageMetadata", __init__=with_attributes)
Index = stand_in(METADATA, "MetadataIndex", __init__=with_attributes)
Info = stand_in(
    "torch.distributed.checkpoint.filesystem", "_StorageInfo", __init__=with_attributes)
Properties = stand_in(METADATA, "TensorProperties", __getstate__=lambda self: self.state,
                      __setstate__=lambda self, state: None)
Size = stand_in("torch", "Size", __init__=lambda self, sizes: None)
stand_in("torch", "Global", __init__=lambda self: None)


class Named:
    """A global of PyTorch."""

    def __init__(self, name):
        self.name = name


class Pickler(pickle._Pickler):
    """Writes `Named` as the global it names, and sizes as PyTorch does."""

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Named):
            self.save("torch")
            self.save(value.name)
            return self.write(pickle.STACK_GLOBAL)
        if isinstance(value, Sizes):
            self.save(Named("Size"))
            self.save((tuple(value),))
            return self.write(pickle.REDUCE)
        return super().save(value, save_persistent_id)


class Sizes(list):
    pass


def pickled(value):
    out = io.BytesIO()
    Pickler(out, 4).dump(value)
    return out.getvalue()


def archive(data, shape, kind="FloatStorage", count=None, key="0", body=None):
    """A tensor as torch.save writes it, or what the pickle `body` makes."""
    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def numbers(values):
        return b"(" + b"".join(b"J" + struct.pack("<i", v) for v in values) + b"t"

    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    body = body or (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\n"
            + kind.encode() + b"\n" + text(key) + text("cpu")
            + b"J" + struct.pack("<i", step if count is None else count) + b"tQJ\0\0\0\0"
            + numbers(shape) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR.")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, content in [("data.pkl", body), ("byteorder", b"little"), ("data/0", data),
                              ("version", b"3\n")]:
            file.writestr(zipfile.ZipInfo("archive/" + name), content)
    return out.getvalue()


def properties(kind="float32"):
    made = Properties()
    made.state = (Named(kind), None, False, None, False)
    return made


def chunk(offsets, sizes):
    return Chunk(offsets=Sizes(offsets), sizes=Sizes(sizes))


def tensor(size, *chunks, kind="float32"):
    return Tensor(properties=properties(kind), size=Sizes(size), chunks=list(chunks))


def info(path, offset, length, **more):
    return Info(relative_path=path, offset=offset, length=length, **more)


def index(name, offsets):
    return Index(fqn=name, offset=None if offsets is None else Sizes(offsets), index=0)


FILE = "__0_0.distcp"
HALF = archive(struct.pack("<6f", *range(6)), (2, 3))
WHOLE = HALF + HALF
HALVES = [chunk((0, 0), (2, 3)), chunk((2, 0), (2, 3))]
A, B = index("a", (0, 0)), index("a", (2, 0))
PLACES = [info(FILE, 0, len(HALF)), info(FILE, len(HALF), len(HALF))]


def described(entries=None, storage=None, **more):
    if entries is None:
        entries = {"a": tensor((4, 3), *HALVES)}
    if storage is None:
        storage = dict(zip([A, B], PLACES))
    return pickled(Metadata(
        state_dict_metadata=entries, planner_data=None, storage_data=storage, **more))


def one(path=FILE, offset=0, length=None, **more):
    """A single chunk at the given place."""
    return described(
        {"a": tensor((2, 3), HALVES[0])},
        {A: info(path, offset, len(HALF) if length is None else length, **more)})


def cut(size, *boxes):
    """A tensor of up to two chunks, which claim to be the halves of the file."""
    names = [index("a", offsets) for offsets, _ in boxes]
    return described({"a": tensor(size, *(chunk(*box) for box in boxes))},
                     dict(zip(names, PLACES)))


def raw(body):
    return b"\x80\x04" + body + b"."


def short(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def with_chunk(content):
    """A single chunk of 2 by 3, stored as `content`."""
    return {".metadata": one(length=len(content)), FILE: content}


def vector(metadata, data=WHOLE):
    return {".metadata": metadata, FILE: data}


VECTORS = {
    # Files.
    "file-outside": vector(one("../other/" + FILE)),
    "file-absolute": vector(one("/etc/passwd")),
    "file-in-parent": vector(one("..")),
    "file-through-link": vector(one("link")),
    "file-through-linked-directory": vector(one("up/hostile/file-outside/" + FILE)),
    "file-missing": vector(one("__1_0.distcp")),
    "file-a-directory": vector(one("directory")),
    "item-beyond-file": vector(one(offset=len(HALF) + 1)),
    "item-offset-huge": vector(one(offset=2**63 - 1)),
    "item-offset-negative": vector(one(offset=-1)),
    "item-offset-over-64-bits": vector(one(offset=2**70)),
    "items-share-bytes": vector(described(
        storage={A: PLACES[0], B: info(FILE, 8, len(HALF))})),
    "item-compressed": vector(one(transform_descriptors=["zstd"])),
    # Chunks.
    "chunk-missing": vector(described({"a": tensor((4, 3), HALVES[0])}, {A: PLACES[0]})),
    "chunk-not-stored": vector(described(storage={A: PLACES[0]})),
    "chunk-stored-twice": vector(described(
        storage={A: PLACES[0], B: PLACES[1], index("a", (0, 0)): PLACES[1]})),
    "chunk-of-nothing": vector(described(
        storage={A: PLACES[0], B: PLACES[1], index("b", (0, 0)): PLACES[1]})),
    "chunks-overlap": vector(cut((3, 3), ((0, 0), (2, 3)), ((1, 0), (2, 3)))),
    "chunks-same": vector(described(
        {"a": tensor((4, 3), HALVES[0], HALVES[0])}, {A: PLACES[0]})),
    "chunk-outside": vector(cut((2, 3), ((1, 0), (2, 3)))),
    "chunk-offset-negative": vector(cut((2, 3), ((-1, 0), (2, 3)))),
    "chunk-size-negative": vector(cut((2, 3), ((0, 0), (-2, 3)))),
    "chunk-offset-overflow": vector(cut((2, 3), ((2**63 - 1, 0), (2, 3)))),
    "chunk-of-other-rank": vector(cut((2, 3), ((0, 0, 0), (1, 2, 3)))),
    "size-overflow": vector(cut((2**40, 2**40), ((0, 0), (2, 3)))),
    "size-negative": vector(cut((-2, -3), ((0, 0), (2, 3)))),
    # Archives of chunks.
    "archive-of-other-shape": with_chunk(archive(bytes(24), (3, 2))),
    "archive-of-other-type": with_chunk(archive(bytes(24), (2, 3), "IntStorage")),
    "archive-too-short": with_chunk(archive(bytes(20), (2, 3))),
    "archive-storage-missing": with_chunk(archive(bytes(24), (2, 3), key="1")),
    "archive-cut-off": with_chunk(HALF[:-30]),
    "archive-damaged": with_chunk(HALF.replace(struct.pack("<f", 5), struct.pack("<f", 6))),
    "archive-no-zip": with_chunk(bytes(200)),
    "archive-no-tensor": with_chunk(archive(bytes(24), (2, 3), body=b"\x80\x02N.")),
    # The description.
    "system-call": vector(raw(short("posix") + short("system") + b"\x93" + short("id") + b"\x85R")),
    "system-call-as-class": vector(raw(short("os") + short("system") + b"\x93)\x81")),
    "builtin-eval": vector(b"\x80\x02c__builtin__\neval\n" + b"X\x01\0\0\x001\x85R."),
    "system-call-in-properties": vector(one().replace(
        short("torch") , short("posix"), 1).replace(short("float32"), short("system"))),
    "class-of-other-module": vector(one().replace(short("Metadata"), short("Metadate"))),
    "class-with-arguments": vector(raw(
        short(METADATA) + short("Metadata") + b"\x93N\x85\x81")),
    "attributes-twice": vector(raw(short(METADATA) + short("Metadata") + b"\x93)\x81}b}b")),
    "attributes-missing": vector(raw(short(METADATA) + short("Metadata") + b"\x93)\x81")),
    "attributes-no-dictionary": vector(raw(
        short(METADATA) + short("Metadata") + b"\x93)\x81]b")),
    "no-class": vector(raw(b"}")),
    "storage-data-missing": vector(pickled(Metadata(state_dict_metadata={}))),
    "storage-data-none": vector(pickled(Metadata(state_dict_metadata={}, storage_data=None))),
    "entries-no-dictionary": vector(described([])),
    "entry-no-metadata": vector(described({"a": 3})),
    "entry-twice": vector(described(
        {"a": tensor((4, 3), *HALVES), "q": tensor((4, 3), *HALVES)}).replace(
            short("q"), short("a"))),
    "entry-name-no-text": vector(described({1: tensor((4, 3), *HALVES)})),
    "properties-no-type": vector(described(
        {"a": Tensor(properties=None, size=Sizes((4, 3)), chunks=HALVES)})),
    "type-not-supported": vector(described({"a": tensor((4, 3), *HALVES, kind="complex64")})),
    "chunks-no-list": vector(described(
        {"a": Tensor(properties=properties(), size=Sizes((4, 3)), chunks=None)})),
    "size-not-integers": vector(described({"a": tensor((4, "3"), *HALVES)})),
    "path-no-text": vector(one(7)),
    "index-no-class": vector(described(storage={"a": PLACES[0]})),
    "deep-nesting": vector(raw(b"N" + b"\x85" * 20_000)),
    "contains-itself": vector(raw(b"}\x94" + short("a") + b"h\0s")),
    "memo-bomb": vector(raw(b"]\x94" + b"".join(
        b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(250)))),
    "memo-empty": vector(raw(b"h\x07")),
    "text-too-long": vector(b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a."),
    "frame-beyond-end": vector(b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N"),
    "protocol-6": vector(b"\x80\x06N."),
    "cut-off": vector(described()[:200]),
    "not-a-pickle": vector(b"PK\x03\x04"),
    "empty": vector(b""),
}

expected = HOSTILE / "EXPECTED.txt"
kept = expected.read_bytes() if expected.exists() else None
shutil.rmtree(HOSTILE, ignore_errors=True)
for name, files in VECTORS.items():
    folder = HOSTILE / name
    folder.mkdir(parents=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
os.symlink("../file-outside/" + FILE, HOSTILE / "file-through-link" / "link")
os.symlink("../..", HOSTILE / "file-through-linked-directory" / "up")
(HOSTILE / "file-a-directory" / "directory").mkdir()
(HOSTILE / "file-a-directory" / "directory" / ".keep").write_bytes(b"")
if kept:
    expected.write_bytes(kept)
