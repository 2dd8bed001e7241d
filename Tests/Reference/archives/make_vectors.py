"""Writes the vectors under formats/sbz: valid/tree and its archive of uncompressed frames, and one
archive per malformation in hostile/, whose error is stated beside it in EXPECTED.txt.

Needs nothing but Python; keeps EXPECTED.txt.
"""

import copy
import json
import struct
from pathlib import Path

import archive_format as sbz

ROOT = Path(__file__).resolve().parents[3] / "formats" / "sbz"


def safetensors(tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def floats(count):
    return [(-1) ** i * (i + 0.5) * 2.0 ** (i % 5 - 3) for i in range(count)]


F32 = struct.pack("<33f", *floats(33))
BF16 = b"".join(struct.pack("<f", x)[2:] for x in floats(35))
TREE = {
    "config.json": b'{"model_type": "none"}\n',
    "empty": b"",
    "part/model.safetensors": safetensors({
        "f32": ("F32", [3, 11], F32), "bf16": ("BF16", [35], BF16),
        "f16": ("F16", [2, 3], struct.pack("<6e", *floats(6))),
        "i8": ("I8", [5], bytes(range(250, 255))), "none": ("F32", [0, 4], b""),
        "scalar": ("I64", [], struct.pack("<q", -7))}),
}


# Hostile archives are changes to this one.
FILES = {"a.json": b"{}", "m.safetensors": safetensors({"t": ("BF16", [35], BF16)})}
INDEX = sbz.index_of(FILES)
CONTENTS = sbz.frames_of(FILES, INDEX)
FRAMES = [sbz.frame(content) for content in CONTENTS]


def archive(frames=None, index=None, text=None, index_frame=None, sizes=None, **table):
    """An archive; what is not given is right."""
    frames = FRAMES if frames is None else frames
    if text is None:
        text = json.dumps(INDEX if index is None else index, separators=(",", ":")).encode()
    index_frame = sbz.frame(text) if index_frame is None else index_frame
    sizes = [len(c) for c in CONTENTS] + [len(text)] if sizes is None else sizes
    packed = frames + [index_frame]
    entries = table.pop("entries", [(len(p), s) for p, s in zip(packed, sizes)])
    return b"".join(packed) + sbz.seek_table(entries, **table)


def changed(path, value):
    """The index with the member at `path` replaced, or removed when `value` is None."""
    index = copy.deepcopy(INDEX)
    place = index
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return archive(index=index)


def with_frame(number, packed):
    return archive(frames=FRAMES[:number] + [packed] + FRAMES[number + 1:])


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


GOOD = archive()
SIZES = [len(c) for c in CONTENTS]
ENTRIES = [(len(f), s) for f, s in zip(FRAMES, SIZES)]
TABLE = len(GOOD) - 8 - 8 * (len(FRAMES) + 1) - 9
TEXT = json.dumps(INDEX, separators=(",", ":")).encode()
LAST = (len(sbz.frame(TEXT)), len(TEXT))
TWICE = copy.deepcopy(INDEX)
TWICE["files"][1]["name"] = "a.json"
BOTH = copy.deepcopy(INDEX)
BOTH["files"][1]["name"] = "a.json/m.safetensors"
TENSORS = copy.deepcopy(INDEX)
TENSORS["files"][1]["parts"].append(dict(TENSORS["files"][1]["parts"][1], bytes=0, shape=[0]))
HUGE = copy.deepcopy(INDEX)
HUGE["files"][0] |= {"bytes": 2**62, "parts": [{"bytes": 2**62}]}
HUGE["files"][1] |= {"bytes": 2**62, "parts": [{"bytes": 2**62}]}
MORE = copy.deepcopy(INDEX)
MORE["files"][0] |= {"bytes": 2**40, "parts": [{"bytes": 2**40}]}
PART = ["files", 1, "parts", 1]
# A block of one byte repeated 100,000 times.
RUN = (100_000 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
T = CONTENTS[2]

HOSTILE = {
    "empty": b"",
    "shorter-than-a-seek-table": GOOD[-12:],
    "another-format": b"PK\x03\x04" + bytes(60),
    "end-missing": GOOD[:-1],
    "half-missing": GOOD[:len(GOOD) // 2],
    "table-alone-without-frames": sbz.seek_table([]),
    "table-with-checksums": archive(descriptor=0x80),
    "table-longer-than-file": archive(count=2**31),
    "table-count-too-small": archive(count=1),
    "table-not-skippable": archive(magic=0x184D2A50),
    "table-of-other-size": archive(size=8),
    "frames-past-the-table": archive(entries=ENTRIES + [(LAST[0] + 1, LAST[1])]),
    "frames-before-the-table": archive(entries=ENTRIES + [(LAST[0] - 1, LAST[1])]),
    "frames-overlapping": archive(
        entries=[ENTRIES[0], (ENTRIES[1][0] + 4, ENTRIES[1][1]),
                 (ENTRIES[2][0] - 4, ENTRIES[2][1]), LAST]),
    "index-over-limit": archive(sizes=SIZES + [1 << 30]),
    "index-expands": archive(index_frame=sbz.frame(TEXT, blocks=RUN)),
    "index-damaged": archive(index_frame=flipped(sbz.frame(TEXT), 20)),
    "index-not-json": archive(text=b"[1, 2"),
    "index-with-key-twice": archive(text=b'{"format":1,"format":1}'),
    "format-other": changed(["format"], "tar"),
    "version-other": changed(["version"], 2),
    "files-missing": changed(["files"], None),
    "name-outside": changed(["files", 0, "name"], "../a.json"),
    "name-absolute": changed(["files", 0, "name"], "/tmp/a.json"),
    "name-empty": changed(["files", 0, "name"], ""),
    "name-of-journal": changed(["files", 0, "name"], ".spikingbrain-journal"),
    "name-twice": archive(index=TWICE),
    "name-of-file-and-directory": archive(index=BOTH),
    "digest-short": changed(["files", 0, "sha256"], "00"),
    "digest-other": changed(["files", 0, "sha256"], "0" * 64),
    "bytes-negative": changed(["files", 0, "bytes"], -2),
    "bytes-over-64-bits-together": archive(index=HUGE),
    "bytes-without-frames": archive(index=MORE),
    "parts-missing": changed(["files", 0, "parts"], None),
    "parts-not-size-of-file": changed(["files", 0, "bytes"], 3),
    "part-without-bytes": changed(PART + ["bytes"], None),
    "planes-three": changed(PART + ["planes"], 3),
    "planes-not-dividing": changed(PART + ["planes"], 4),
    "planes-other": changed(["files", 1, "parts", 0, "planes"], 2),
    "tensor-not-text": changed(PART + ["tensor"], 1),
    "tensor-of-other-size": changed(PART + ["shape"], [36]),
    "tensor-shape-overflows": changed(PART + ["shape"], [2**40, 2**40]),
    "tensor-type-unknown": changed(PART + ["dtype"], "F8_E4M3"),
    "tensor-twice": archive(index=TENSORS),
    "frame-missing": archive(frames=FRAMES[:2], entries=ENTRIES[:2] + [LAST]),
    "frame-of-other-size": archive(sizes=[SIZES[0], SIZES[1], 72, len(TEXT)]),
    "frame-damaged": with_frame(2, flipped(FRAMES[2], 30)),
    "frame-checksum-damaged": with_frame(2, flipped(FRAMES[2], len(FRAMES[2]) - 1)),
    "frame-without-checksum": with_frame(2, sbz.frame(T, descriptor=0xA0)),
    "frame-without-size": with_frame(2, sbz.frame(T, descriptor=0x04)),
    "frame-states-other-size": with_frame(2, sbz.frame(T, size=80)),
    "frame-expands": with_frame(2, sbz.frame(T, blocks=RUN)),
    "frame-too-short": with_frame(2, sbz.frame(T, blocks=(8 << 3 | 1).to_bytes(3, "little") + T[:8])),
    "frame-twice": with_frame(2, FRAMES[2] + FRAMES[2]),
    "frame-skippable": with_frame(2, struct.pack("<II", 0x184D2A50, len(T)) + T),
    "frame-empty": with_frame(2, b""),
}


def main():
    for name, data in TREE.items():
        path = ROOT / "valid" / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    packed = sbz.pack(TREE)
    assert sbz.unpack(packed) == TREE
    (ROOT / "valid" / "uncompressed.sbz").write_bytes(packed)
    (ROOT / "hostile").mkdir(exist_ok=True)
    for old in (ROOT / "hostile").glob("*.sbz"):
        old.unlink()
    for name, data in HOSTILE.items():
        (ROOT / "hostile" / f"{name}.sbz").write_bytes(data)


main()
