"""HTTP by hand for the tests: an ASGI application asked without a server, and a server asked through bare sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

from sightline.sockets import PatientProtocol

HOST = "127.0.0.1:7860"


@dataclass(frozen=True)
class Reply:
    """What was answered. Header names are in lower case; of several alike the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: Any,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    host: str | None = HOST,
    pieces: Sequence[bytes] = (),
    pause: float = 0.0,
    query: str = "",
) -> Reply:
    """One request to an ASGI application; its body comes in `pieces`, with a `pause` in seconds before each."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    pairs = pairs if host is None else [("host", host), *pairs]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 7860),
    }
    waiting = list(pieces) or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        await asyncio.sleep(pause)
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    told = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Reply(start["status"], told, b"".join(one.get("body", b"") for one in rest))


@contextlib.contextmanager
def served(app: Any, protocol: type[PatientProtocol] = PatientProtocol) -> Iterator[int]:
    """A real server on 127.0.0.1; gives its port."""
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=protocol, ws="none", loop="asyncio", log_level="critical", access_log=False, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)
        bound.close()
        assert not thread.is_alive()


def wait_for(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to be so in time"
        time.sleep(0.01)


def heard(sock: socket.socket, seconds: float = 30.0) -> bytes:
    """All that comes until the other side closes."""
    sock.settimeout(seconds)
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65_536):
            got += piece
    return got
