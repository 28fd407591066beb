"""A hub on 127.0.0.1 that the real client libraries talk to: its HTTP protocol, our files, and faults on demand.

`Hub` serves repositories from folders on this disk (nothing is copied). Large files are redirected to a second origin,
as the real hub does with its CDN. Everything asked for is in `requests`, headers included.

    with Hub() as hub:
        hub.add("models", "immich-app/tiny", folder, licence="mit")
        hub.fault("visual/model.onnx", cut=1000, times=1)

The libraries read HF_ENDPOINT when they are imported: `reserve()` takes the two ports before that (see conftest.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

LARGE = 10_000
"""Bytes from which a file counts as LFS, whatever its name; .onnx, .parquet and .tar always do."""
_LARGE_KINDS = (".onnx", ".parquet", ".tar", ".bin", ".jpg", ".data")
FOREVER = 10**9
CHUNK = 2**18


def reserve() -> tuple[socket.socket, socket.socket]:
    """Two bound ports where nobody listens yet: until a hub starts there, connections are refused."""
    made = []
    for _ in range(2):
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        made.append(bound)
    return made[0], made[1]


@dataclass
class Fault:
    """What goes wrong when a path that contains `path` is asked for, `times` times. `on`: hub or cdn."""

    path: str
    times: int = FOREVER
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    """The connection ends after so many bytes of the body."""
    wrong: bool = False
    """Other bytes, as many."""
    no_range: bool = False
    """Range is ignored."""
    pause: threading.Event | None = None
    """Waits for it in the middle of the body."""
    on: str = ""


@dataclass(frozen=True)
class Asked:
    origin: str
    method: str
    path: str
    headers: Mapping[str, str]
    answer: list[int]

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization")


@dataclass
class Repo:
    kind: str
    name: str
    folder: Path
    licence: str | None
    tags: list[str]
    token: str | None = None
    gated: bool = False
    card: str = ""
    seed: int = 0
    without: tuple[str, ...] = ()

    @property
    def commit(self) -> str:
        text = "\n".join([self.name, str(self.seed), *(f"{path} {self.folder}" for path in self.paths)])
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    @property
    def paths(self) -> list[str]:
        files = {str(file.relative_to(self.folder)) for file in self.folder.rglob("*") if file.is_file()}
        return sorted((files | {"README.md"}) - set(self.without))

    def size(self, path: str) -> int:
        return len(self.readme) if path == "README.md" else (self.folder / path).stat().st_size

    @property
    def readme(self) -> bytes:
        own = self.folder / "README.md"
        if own.is_file():
            return own.read_bytes()
        head = f"license: {self.licence}\n" if self.licence else ""
        return f"---\n{head}{self.card}---\n".encode()

    def is_lfs(self, path: str) -> bool:
        return path.endswith(_LARGE_KINDS) or self.size(path) >= LARGE

    def digests(self, path: str) -> tuple[str, str]:
        """(sha256, git blob id)."""
        if path == "README.md":
            return _digests_of(self.readme)
        found = (self.folder / path).stat()
        return _digests(str(self.folder / path), found.st_size, found.st_mtime_ns)

    def etag(self, path: str) -> str:
        return self.digests(path)[0 if self.is_lfs(path) else 1]


def _digests_of(data: bytes) -> tuple[str, str]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return hashlib.sha256(data).hexdigest(), blob.hexdigest()


@lru_cache(maxsize=1000)
def _digests(path: str, size: int, mtime_ns: int) -> tuple[str, str]:
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            sha256.update(chunk)
            blob.update(chunk)
    return sha256.hexdigest(), blob.hexdigest()


class Hub:
    """The server. `url` is what HF_ENDPOINT has to be."""

    def __init__(self, sockets: tuple[socket.socket, socket.socket] | None = None) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.faults: list[Fault] = []
        self.requests: list[Asked] = []
        self._servers = [
            _server(self, origin, bound) for origin, bound in zip(("hub", "cdn"), sockets or reserve(), strict=True)
        ]
        self.url, self.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)

    def __enter__(self) -> Hub:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def clear(self) -> None:
        self.repos.clear()
        self.faults.clear()
        self.requests.clear()

    def add(self, kind: str, name: str, folder: Path, *, licence: str | None = None, **more: Any) -> Repo:
        """`kind` is models or datasets; `more`: token, gated, card (YAML lines of README.md), tags, seed, without."""
        tags = [*more.pop("tags", []), *([f"license:{licence}"] if licence else [])]
        repo = self.repos[kind, name] = Repo(kind, name, folder, licence, tags, **more)
        return repo

    def fault(self, path: str, **what: Any) -> Fault:
        made = Fault(path, **what)
        self.faults.append(made)
        return made

    def asked(self, part: str, method: str = "GET") -> list[Asked]:
        return [one for one in self.requests if part in one.path and one.method == method]

    def take_fault(self, origin: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.path in path and fault.times > 0 and fault.on in ("", origin):
                fault.times -= 1
                return fault
        return None


def _server(hub: Hub, origin: str, bound: socket.socket) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"hub": hub, "origin": origin})
    server = ThreadingHTTPServer(bound.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = bound.dup()
    server.server_address = bound.getsockname()
    server.daemon_threads = True
    server.server_activate()
    return server


class _Answered(Exception):
    """The request is dealt with."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    origin: str
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Asked(self.origin, self.command, self.path, headers, [])
        self.hub.requests.append(self.asked)
        self.fault = self.hub.take_fault(self.origin, unquote(self.path))
        with contextlib.suppress(_Answered):
            if self.fault and self.fault.status:
                self._send(self.fault.status, dict(self.fault.headers), self.fault.body)
            if self.origin == "cdn":
                self._content(*self._find_file(re.compile("/cdn/(models|datasets)/([^/]+/[^/]+)/(.+)")))
            if urlsplit(self.path).path.startswith("/api/"):
                self._api()
            self._resolve()

    do_HEAD = do_POST = do_GET

    # -- the API

    def _api(self) -> None:
        where = urlsplit(self.path)
        query = parse_qs(where.query)
        form = {}
        if self.command == "POST":
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_json = "json" in self.headers.get("Content-Type", "")
            form = json.loads(data) if is_json else parse_qs(data.decode())
        match = re.fullmatch(
            "/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(/.*)?)?", unquote(where.path)
        )
        if not match:
            self._refuse(404, "")
        kind, name, verb, revision, below = match.groups()
        repo = self._repo(kind, name)
        self._check_revision(repo, revision)
        if verb == "tree":
            recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
            entries = list(_tree(repo, (below or "/").strip("/"), recursive))
            if below and not entries:
                self._refuse(404, "EntryNotFound")
            self._json(entries)
        if verb == "paths-info":
            self._json(list(_paths_info(repo, form.get("paths", []))))
        self._json(_info(repo, "blobs" in query))

    def _repo(self, kind: str, name: str) -> Repo:
        repo = self.hub.repos.get((kind, name))
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repo is None:
            self._refuse(404 if sent else 401, "RepoNotFound")
        if repo.gated:
            self._refuse(403 if sent else 401, "GatedRepo")
        if repo.token and sent and sent != repo.token:
            self._refuse(401, "", "Invalid credentials in Authorization header")
        if repo.token and not sent:
            self._refuse(401, "RepoNotFound")
        return repo

    def _check_revision(self, repo: Repo, revision: str | None) -> None:
        if revision not in (None, "main", repo.commit):
            self._refuse(404, "RevisionNotFound")

    # -- files

    def _resolve(self) -> None:
        pattern = re.compile("/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
        match = pattern.fullmatch(unquote(urlsplit(self.path).path))
        if not match:
            self._refuse(404, "")
        repo = self._repo("datasets" if match[1] else "models", match[2])
        self._check_revision(repo, match[3])
        path = match[4]
        if path not in repo.paths:
            self._refuse(404, "EntryNotFound", headers={"X-Repo-Commit": repo.commit})
        common = {"X-Repo-Commit": repo.commit, "Accept-Ranges": "bytes"}
        if repo.is_lfs(path):
            linked = {"X-Linked-Size": str(repo.size(path)), "X-Linked-Etag": f'"{repo.etag(path)}"'}
            location = f"{self.hub.cdn}/cdn/{repo.kind}/{repo.name}/{quote(path)}?signature=stub"
            self._send(302, {**common, **linked, "ETag": f'"{repo.etag(path)}"', "Location": location})
        self._content(repo, path, common)

    def _find_file(self, pattern: re.Pattern[str]) -> tuple[Repo, str]:
        match = pattern.fullmatch(unquote(urlsplit(self.path).path))
        if not match or (match[1], match[2]) not in self.hub.repos:
            self._refuse(404, "")
        return self.hub.repos[match[1], match[2]], match[3]

    def _content(self, repo: Repo, path: str, headers: Mapping[str, str] | None = None) -> None:
        size = repo.size(path)
        begin, end, status = 0, size, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        sent = {"ETag": f'"{repo.etag(path)}"', "Content-Type": "application/octet-stream", **(headers or {})}
        if asked and not (self.fault and self.fault.no_range):
            begin, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else size, size)
            status = 206
            if begin >= size:
                self._send(416, {**sent, "Content-Range": f"bytes */{size}"})
            sent["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        self._head(status, {**sent, "Content-Length": str(end - begin)})
        if self.command != "HEAD":
            self._body(repo, path, begin, end)
        raise _Answered

    def _body(self, repo: Repo, path: str, begin: int, end: int) -> None:
        fault = self.fault or Fault("")
        stop = end if fault.cut is None else min(end, begin + fault.cut)
        for chunk in _chunks(repo, path, begin, stop, 10_000 if fault.pause else CHUNK):
            self.wfile.write(bytes(255 - byte for byte in chunk) if fault.wrong else chunk)
            if fault.pause:
                self.wfile.flush()
                fault.pause.wait(30)
        if stop < end:
            self.close_connection = True

    # -- answering

    def _refuse(self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Any:
        coded = {"X-Error-Code": code} if code else {}
        said = {"X-Error-Message": message} if message else {}
        self._send(status, {**coded, **said, **(headers or {})}, json.dumps({"error": message or code}).encode())

    def _json(self, document: Any) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(document).encode())

    def _send(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self._head(status, {**headers, "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)
        raise _Answered

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.asked.answer.append(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _chunks(repo: Repo, path: str, begin: int, end: int, size: int) -> Iterator[bytes]:
    if path == "README.md":
        yield repo.readme[begin:end]
        return
    with (repo.folder / path).open("rb") as file:
        file.seek(begin)
        while begin < end and (chunk := file.read(min(size, end - begin))):
            begin += len(chunk)
            yield chunk


def _info(repo: Repo, blobs: bool) -> dict[str, Any]:
    return {
        "_id": repo.commit[:24],
        "id": repo.name,
        "modelId": repo.name,
        "sha": repo.commit,
        "lastModified": "2026-11-01T12:00:00.000Z",
        "private": bool(repo.token),
        "gated": "manual" if repo.gated else False,
        "disabled": False,
        "tags": repo.tags,
        "cardData": {"license": repo.licence} if repo.licence else {},
        "siblings": [_sibling(repo, path, blobs) for path in repo.paths],
    }


def _sibling(repo: Repo, path: str, blobs: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": path}
    if blobs:
        sha256, blob = repo.digests(path)
        entry |= {"size": repo.size(path), "blobId": blob}
        if repo.is_lfs(path):
            entry["lfs"] = {"sha256": sha256, "size": repo.size(path), "pointerSize": 133}
    return entry


def _file_entry(repo: Repo, path: str) -> dict[str, Any]:
    sha256, blob = repo.digests(path)
    entry = {"type": "file", "path": path, "oid": blob, "size": repo.size(path)}
    if repo.is_lfs(path):
        entry["lfs"] = {"oid": sha256, "size": repo.size(path), "pointerSize": 133}
    return entry


def _folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}


def _tree(repo: Repo, below: str, recursive: bool) -> Iterator[dict[str, Any]]:
    folders: set[str] = set()
    for path in repo.paths:
        if below and not path.startswith(below + "/"):
            continue
        rest = path[len(below) + 1 :] if below else path
        parts = rest.split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            folder = os.path.join(below, *parts[:depth])
            if folder not in folders:
                folders.add(folder)
                yield _folder_entry(folder)
        if recursive or len(parts) == 1:
            yield _file_entry(repo, path)


def _paths_info(repo: Repo, paths: list[str] | str) -> Iterator[dict[str, Any]]:
    for path in [paths] if isinstance(paths, str) else paths:
        path = path.strip("/")
        if path in repo.paths:
            yield _file_entry(repo, path)
        elif any(one.startswith(path + "/") for one in repo.paths):
            yield _folder_entry(path)
