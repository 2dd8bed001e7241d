#!/usr/bin/env python3
"""A Hub on this machine: the directories ORG/NAME below a root, each as the one commit of a model.

    stand_in_hub.py ROOT [PORT]        prints its address

It speaks as much of the Hub's API as huggingface_hub uses to download. Large files are redirected to, as
the Hub does. Nothing is written.
"""

import hashlib
import json
import sys
import urllib.parse
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGE = (".safetensors", ".bin", ".gguf", ".h5")


@lru_cache
def digest(path):
    data = path.read_bytes()
    if path.name.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def files(model):
    return sorted(p for p in model.rglob("*") if p.is_file() and not p.name.startswith("."))


def commit(model):
    names = "".join(f"{p.relative_to(model)} {digest(p)}\n" for p in files(model))
    return hashlib.sha1(names.encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        parts = [urllib.parse.unquote(p) for p in self.path.split("?")[0].strip("/").split("/")]
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            return self.api("/".join(parts[2:4]), parts[4:])
        if len(parts) >= 5 and parts[2] == "resolve":
            return self.file("/".join(parts[:2]), "/".join(parts[4:]), moved=False)
        if parts[0] == "objects":
            return self.file("/".join(parts[1:3]), "/".join(parts[3:]), moved=True)
        self.answer(404, {"X-Error-Code": "RepoNotFound"})

    def model(self, name):
        model = (self.server.root / name).resolve()
        return model if model.is_dir() and self.server.root in model.parents else None

    def api(self, name, rest):
        model = self.model(name)
        if not model:
            return self.answer(404, {"X-Error-Code": "RepoNotFound"})
        names = [str(p.relative_to(model)) for p in files(model)]
        if rest[:1] == ["tree"]:
            body = [
                {"type": "file", "path": n, "size": (model / n).stat().st_size,
                 "oid": digest(model / n)} for n in names]
        else:
            body = {"id": name, "sha": commit(model), "siblings": [{"rfilename": n} for n in names]}
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def file(self, name, file, moved):
        model = self.model(name)
        path = (model / file).resolve() if model else None
        if not path or model not in path.parents or not path.is_file():
            code = "EntryNotFound" if model else "RepoNotFound"
            return self.answer(404, {"X-Error-Code": code})
        data = path.read_bytes()
        headers = {"X-Repo-Commit": commit(model), "ETag": f'"{digest(path)}"'}
        if path.name.endswith(LARGE) and not moved:
            headers |= {
                "Location": "/objects/" + urllib.parse.quote(f"{name}/{file}"),
                "X-Linked-Etag": f'"{digest(path)}"', "X-Linked-Size": str(len(data))}
            return self.answer(302, headers)
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes="):
            return self.answer(200, headers, data)
        first, _, last = asked[len("bytes="):].partition("-")
        start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        if start > end:
            return self.answer(416, {})
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        self.answer(206, headers, data[start:end + 1])

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(root, port=0):
    """A server of the directories below `root`; its `url` is its address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.root = Path(root).resolve()
    server.url = f"http://127.0.0.1:{server.server_port}"
    return server


if __name__ == "__main__":
    server = serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(server.url, flush=True)
    server.serve_forever()
