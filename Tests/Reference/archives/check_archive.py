"""check_archive.py ARCHIVE DIR: reads an archive with the zstd program and this directory's own
reader and compares it with the files of DIR; exit 1 when anything differs."""

import sys
from pathlib import Path

import archive_format as sbz

archive, directory = Path(sys.argv[1]), Path(sys.argv[2])
found = sbz.unpack(archive.read_bytes())
expected = {str(p.relative_to(directory)): p.read_bytes()
            for p in directory.rglob("*") if p.is_file()}
if found != expected:
    sys.exit(f"FAIL {archive}: {sorted(found.keys() ^ expected.keys()) or 'bytes differ'}")
print(f"ok {archive}: {len(found)} files, {sum(map(len, found.values()))} bytes")
