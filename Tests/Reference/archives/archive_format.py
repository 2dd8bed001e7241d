"""The archive format of formats/sbz in plain Python, written from its specification.

`pack` writes valid archives without a compressor: zstd frames may hold their bytes as they are.
`unpack` reads any archive; compressed frames go through the `zstd` program.
"""

import hashlib
import json
import struct
import subprocess

FRAME_BYTES = 1 << 20
MASK = 2**64 - 1
PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
          0x27D4EB2F165667C5)


def xxh64(data):
    """XXH64 with seed 0, from the published algorithm."""
    p1, p2, p3, p4, p5 = PRIMES

    def rotate(x, r):
        return (x << r | x >> (64 - r)) & MASK

    def step(lane, word):
        return rotate(lane + word * p2 & MASK, 31) * p1 & MASK

    at = 0
    if len(data) >= 32:
        lanes = [p1 + p2 & MASK, p2, 0, -p1 & MASK]
        while at + 32 <= len(data):
            lanes = [step(v, w) for v, w in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rotate(v, r) for v, r in zip(lanes, (1, 7, 12, 18))) & MASK
        for v in lanes:
            h = ((h ^ step(0, v)) * p1 + p4) & MASK
    else:
        h = p5
    h = h + len(data) & MASK
    while at + 8 <= len(data):
        h = rotate(h ^ step(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4 & MASK
        at += 8
    if at + 4 <= len(data):
        h = rotate(h ^ struct.unpack_from("<I", data, at)[0] * p1 & MASK, 23) * p2 + p3 & MASK
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * p5 & MASK, 11) * p1 & MASK
    for shift, prime in ((33, p2), (29, p3)):
        h = (h ^ h >> shift) * prime & MASK
    return h ^ h >> 32


def frame(data, descriptor=0xA4, size=None, blocks=None, checksum=None):
    """A zstd frame of raw blocks; the other parameters are for wrong ones."""
    out = struct.pack("<IB", 0xFD2FB528, descriptor)
    if descriptor >> 6 == 2:
        out += struct.pack("<I", len(data) if size is None else size)
    else:
        out += b"\x40"  # a window of 256 KiB and no size
    if blocks is None:
        pieces = [data[i:i + 65536] for i in range(0, len(data), 65536)] or [b""]
        blocks = b"".join(
            (len(piece) << 3 | (i == len(pieces) - 1)).to_bytes(3, "little") + piece
            for i, piece in enumerate(pieces))
    out += blocks
    if descriptor & 4:
        out += struct.pack("<I", (xxh64(data) if checksum is None else checksum) & 0xFFFFFFFF)
    return out


def seek_table(entries, count=None, descriptor=0, magic=0x184D2A5E, size=None):
    body = b"".join(struct.pack("<II", *entry) for entry in entries)
    body += struct.pack("<IBI", len(entries) if count is None else count, descriptor, 0x8F92EAB1)
    return struct.pack("<II", magic, len(body) if size is None else size) + body


def split(data, planes):
    """The bytes of `data` by significance, the sign below the 7 bits that follow the exponent."""
    if planes == 1:
        return data
    out = bytearray()
    elements = [data[i:i + planes][::-1] for i in range(0, len(data), planes)]
    rotated = [((e[0] << 8 | e[1]) << 1 | e[0] >> 7) & 0xFFFF for e in elements]
    out += bytes(r >> 8 for r in rotated) + bytes(r & 255 for r in rotated)
    for plane in range(2, planes):
        out += bytes(e[plane] for e in elements)
    return bytes(out)


def merge(data, planes):
    """The inverse of `split`."""
    if planes == 1:
        return data
    n = len(data) // planes
    out = bytearray(len(data))
    for i in range(n):
        rotated = data[i] << 8 | data[n + i]
        top = rotated >> 1 | (rotated & 1) << 15
        out[i * planes:(i + 1) * planes] = bytes(
            [data[p * n + i] for p in range(planes - 1, 1, -1)] + [top & 255, top >> 8])
    return bytes(out)


def pieces(part):
    return [min(FRAME_BYTES, part["bytes"] - at) for at in range(0, part["bytes"], FRAME_BYTES)]


def safetensors_parts(data):
    """The parts of a safetensors file."""
    length = 8 + struct.unpack_from("<Q", data)[0]
    parts = [{"bytes": length}]
    header = json.loads(data[8:length])
    header.pop("__metadata__", None)
    planes = {"BF16": 2, "F16": 2, "F32": 4}
    for name, t in sorted(header.items(), key=lambda item: (item[1]["data_offsets"], item[0])):
        part = {"bytes": t["data_offsets"][1] - t["data_offsets"][0]}
        if t["dtype"] in planes:
            part["planes"] = planes[t["dtype"]]
        parts.append(part | {"tensor": name, "dtype": t["dtype"], "shape": t["shape"]})
    return parts


def index_of(files):
    """The index of {name: bytes}."""
    entries = []
    for name, data in files.items():
        parts = [{"bytes": len(data)}] if data else []
        if name.endswith(".safetensors"):
            parts = safetensors_parts(data)
        entries.append({"name": name, "bytes": len(data),
                        "sha256": hashlib.sha256(data).hexdigest(), "parts": parts})
    return {"format": "spikingbrain-archive", "version": 1, "files": entries}


def frames_of(files, index):
    frames = []
    for entry in index["files"]:
        at = 0
        for part in entry["parts"]:
            for size in pieces(part):
                frames.append(split(files[entry["name"]][at:at + size], part.get("planes", 1)))
                at += size
    return frames


def pack(files):
    """The archive of {name: bytes}."""
    index = index_of(files)
    contents = frames_of(files, index) + [json.dumps(index, separators=(",", ":")).encode()]
    packed = [frame(content) for content in contents]
    entries = [(len(p), len(c)) for p, c in zip(packed, contents)]
    return b"".join(packed) + seek_table(entries)


def unpack(archive):
    """The files of an archive as {name: bytes}, digests checked."""
    count, descriptor, magic = struct.unpack("<IBI", archive[-9:])
    assert magic == 0x8F92EAB1 and descriptor == 0
    start = len(archive) - 9 - 8 * count - 8
    assert struct.unpack_from("<II", archive, start) == (0x184D2A5E, 8 * count + 9)
    contents, at = [], 0
    for i in range(count):
        packed, size = struct.unpack_from("<II", archive, start + 8 + 8 * i)
        content = subprocess.run(["zstd", "-dcq"], input=archive[at:at + packed],
                                 capture_output=True, check=True).stdout
        assert len(content) == size
        contents.append(content)
        at += packed
    assert at == start
    files, next_frame = {}, iter(contents[:-1])
    for entry in json.loads(contents[-1])["files"]:
        data = b"".join(
            merge(next(next_frame), part.get("planes", 1))
            for part in entry["parts"] for _ in pieces(part))
        assert len(data) == entry["bytes"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["name"]
        files[entry["name"]] = data
    assert next(next_frame, None) is None
    return files
