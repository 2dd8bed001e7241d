"""Writes the hostile vectors under formats/pytorch/hostile: one tiny file per malformation.

What the reader must say about each one is stated beside them in EXPECTED.txt. Needs nothing but
Python: pickles are put together from their instructions, archives with `zipfile` or by hand.
"""

import io
import struct
import warnings
import zipfile
from pathlib import Path

HOSTILE = Path(__file__).resolve().parents[3] / "formats" / "pytorch" / "hostile"
warnings.simplefilter("ignore")


def archive(pickle, data=(("0", bytes(8)),), method=zipfile.ZIP_STORED, order=b"little", extra=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        def write(name, content):
            file.writestr(zipfile.ZipInfo(name), content, method)
        if pickle is not None:
            write("archive/data.pkl", pickle)
        write("archive/byteorder", order)
        for key, content in data:
            write(f"archive/data/{key}", content)
        write("archive/version", b"3\n")
        for name, content in extra:
            write(name, content)
    return out.getvalue()


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    return b"J" + struct.pack("<i", value)


def numbers(*values):
    return b"(" + b"".join(number(v) for v in values) + b"t"


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def storage(kind="FloatStorage", key="0", count=2):
    return (b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu")
            + number(count) + b"tQ")


def tensor(where=None, offset=0, size=(2,), stride=(1,)):
    return (name("torch._utils", "_rebuild_tensor_v2") + b"("
            + (storage() if where is None else where) + number(offset) + numbers(*size)
            + numbers(*stride) + b"\x89" + name("collections", "OrderedDict") + b")RtR")


def state(*tensors):
    body = b"".join(text(chr(97 + i)) + t for i, t in enumerate(tensors))
    return b"\x80\x02}(" + body + b"u."


SOUND = archive(state(tensor()))


def patched(data, old, new):
    assert data.count(old) >= 1
    return data.replace(old, new)


def overlapping():
    """The directory says that the first storage is long enough to reach into the second."""
    data = bytearray(archive(state(tensor()), data=(("0", bytes(8)), ("1", bytes(8)))))
    at = data.find(b"PK\x01\x02")
    while not data[at + 46:].startswith(b"archive/data/0"):
        at = data.find(b"PK\x01\x02", at + 4)
    struct.pack_into("<II", data, at + 20, 60, 60)
    return bytes(data)


VECTORS = {
    "system-call": archive(b"\x80\x02" + name("os", "system") + text("id") + b"\x85R."),
    "builtin-eval": archive(b"\x80\x02" + name("builtins", "eval") + text("1") + b"\x85R."),
    "stack-global-system": archive(
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."),
    "load-from-bytes": archive(
        b"\x80\x02" + name("torch.storage", "_load_from_bytes") + b"C\x01x\x85R."),
    "decimal": archive(b"\x80\x02" + name("decimal", "Decimal") + b")R."),
    "call-of-text": archive(b"\x80\x02" + text("os") + b")R."),
    "call-of-type": archive(b"\x80\x02" + name("torch", "FloatStorage") + b")R."),
    "protocol-6": archive(b"\x80\x06N."),
    "unknown-instruction": archive(b"\x80\x02i."),
    "extension-code": archive(b"\x80\x02\x82\x01."),
    "stack-empty": archive(b"\x80\x02R."),
    "mark-missing": archive(b"\x80\x02t."),
    "below-the-mark": archive(b"\x80\x02N(0."),
    "memo-empty": archive(b"\x80\x02h\x07."),
    "no-end": archive(b"\x80\x02}"),
    "text-too-long": archive(b"\x80\x02X\xff\xff\xff\x7fabc."),
    "text-not-utf8": archive(b"\x80\x02X\x01\0\0\0\xff."),
    "name-without-end": archive(b"\x80\x02c" + b"a" * 3000),
    "deep-nesting": archive(b"\x80\x02N" + b"\x85" * 100_000 + b"."),
    "memo-bomb": archive(
        b"\x80\x02]q\0" + b"".join(b"h\0h\0\x86q\0" for _ in range(1000)) + b"."),
    "contains-itself": archive(b"\x80\x02]q\0h\0a."),
    "list-of-tensors": archive(b"\x80\x02](" + tensor() + b"e."),
    "empty-dictionary": archive(b"\x80\x02}."),
    "append-to-dictionary": archive(b"\x80\x02}Na."),
    "key-without-value": archive(b"\x80\x02}(Nu."),
    "storage-not-a-tuple": archive(b"\x80\x02NQ."),
    "storage-missing": archive(state(tensor(storage(key="7")))),
    "storage-outside-folder": archive(state(tensor(storage(key="../../x")))),
    "storage-count-negative": archive(state(tensor(storage(count=-1)))),
    "storage-quantised": archive(state(tensor(storage(kind="QInt8Storage")))),
    "untyped-without-type": archive(
        state(tensor(b"(" + text("storage") + name("torch.storage", "UntypedStorage") + text("0")
                     + text("cpu") + number(8) + b"tQ"))),
    "tensor-beyond-storage": archive(state(tensor(size=(3,)))),
    "offset-beyond-storage": archive(state(tensor(offset=1))),
    "offset-negative": archive(state(tensor(offset=-1))),
    "stride-beyond-storage": archive(state(tensor(stride=(2,)))),
    "stride-negative": archive(state(tensor(offset=1, stride=(-1,)))),
    "stride-missing": archive(state(tensor(size=(1, 2), stride=(1,)))),
    "size-negative": archive(state(tensor(size=(-2,)))),
    "size-overflow": archive(state(tensor(size=(2**31 - 1,) * 4, stride=(0,) * 4))),
    "repeated-without-end": archive(state(tensor(size=(2**30,), stride=(0,)))),
    "tensor-not-described": archive(
        state(name("torch._utils", "_rebuild_tensor_v2") + b")R")),
    "tensor-twice": archive(
        b"\x80\x02}(" + text("a") + tensor() + text("a") + tensor() + b"u."),
    "compressed": archive(state(tensor()), data=(("0", bytes(800)),), method=zipfile.ZIP_DEFLATED),
    "big-endian": archive(state(tensor()), order=b"big"),
    "pickle-missing": archive(None),
    "checksum-of-storage": patched(SOUND, bytes(8) + b"PK", bytes(7) + b"\x01PK"),
    "checksum-of-pickle": patched(SOUND, b"OrderedDict", b"OrderedDicu"),
    "cut-off": SOUND[:-30],
    "no-directory": SOUND[:SOUND.find(b"PK\x01\x02")],
    "entry-twice": archive(state(tensor()), extra=(("archive/version", b"3\n"),)),
    "other-local-name": SOUND.replace(b"archive/data/0", b"archive/data/1", 1),
    "entries-overlap": overlapping(),
    "no-folder": patched(SOUND, b"archive/", b"archive_"),
    "entry-count-huge": SOUND[:-22] + b"PK\x05\x06" + bytes(4) + b"\xff\xff" * 2 + SOUND[-10:],
    "directory-offset-beyond": SOUND[:-6] + b"\xff\xff\xff\x7f" + SOUND[-2:],
    "bare-pickle": b"\x80\x02}.",
}

HOSTILE.mkdir(parents=True, exist_ok=True)
for old in HOSTILE.glob("*.pt"):
    old.unlink()
for vector, data in VECTORS.items():
    (HOSTILE / (vector + ".pt")).write_bytes(data)
