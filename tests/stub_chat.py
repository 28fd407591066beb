"""An OpenAI-compatible chat server on 127.0.0.1: a real one to talk to, that checks what it is asked and fails as told.

    with ChatServer(side=768, key="secret") as server:
        server.will(Turn(status=429, headers={"Retry-After": "1"}), Turn(statements=[("A red bus.", [1])]))
        ...                     # ask `server.url`, twice
        server.requests[0].images, server.requests[0].text, server.problems

Each request takes the next `Turn` of the queue, or `server.otherwise` when the queue is empty (at first: a plain answer
that cites every picture). Every request is checked: JSON, a model, the stream flag, the key, pictures that decode, are
no larger than `side` and follow a text that names their number, 1, 2, 3 in order. What is wrong stands in `problems`,
and the client gets status 400 (401 for the key) with it.

What a turn says: `statements` (JSON when it is asked for by `response_format`, else prose with marks), `text` (word for
word), `answer` (a function of the request), or `obey=True`: the model of nightmares, which does what captions tell it.
How it says it, and how it fails: the other fields of `Turn`. A server made with `listening=False` refuses connections
until `listen()`.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn
from urllib.parse import urlsplit

from PIL import Image

Said = Sequence[tuple[str, Sequence[int]]]


@dataclass(frozen=True)
class Request:
    """What a client sent. `images` are its pictures by number, `system` its first message, `text` all other texts."""

    path: str
    headers: Mapping[str, str]
    document: Mapping[str, Any]
    images: Mapping[int, Image.Image] = field(default_factory=dict)
    system: str = ""
    text: str = ""

    @property
    def structured(self) -> bool:
        return "response_format" in self.document

    @property
    def numbers(self) -> list[int]:
        """The pictures that the client tells of, shown or not."""
        return sorted({int(number) for number in re.findall(r"^Picture (\d+)", self.text, re.MULTILINE)})


@dataclass
class Turn:
    """How one request is dealt with. The fields may be combined where that has a meaning."""

    statements: Said | None = None
    text: str | None = None
    answer: Callable[[Request], str] | None = None
    obey: bool = False

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    """Of a status that is none of success: the message in the server's error."""
    refuse: tuple[str, ...] = ()
    """Status 400 when the request has one of these fields, e.g. `response_format`; else the turn goes on."""

    piece: int = 7
    """Characters in one piece of the stream."""
    fenced: bool = False
    """The text stands in a Markdown code fence."""
    whole: bool = False
    """One JSON document in spite of `stream`."""
    thinking: str = ""
    """Streamed before the answer as `reasoning_content`."""
    no_done: bool = False
    """The stream ends well but without `[DONE]` and finish_reason."""

    hang: float = 0.0
    """Seconds of silence before the status line."""
    stall: float = 0.0
    """Seconds of silence after the status line, before the first piece."""
    pause: float = 0.0
    """Seconds of silence after the first piece of the answer."""
    ping: float = 0.0
    """Comments are sent, so many seconds apart, while the stream is silent."""
    reset: bool = False
    """The connection is reset before the status line."""
    cut: int | None = None
    """The connection ends after so many characters of the answer, in the middle of the stream."""
    latin1: bool = False
    """Each é is sent as the byte 0xE9, which is no UTF-8."""
    line: int = 0
    """One line of so many bytes is sent in place of the answer."""
    raw: bytes = b""
    """Sent word for word after a good status line, in place of events."""


class ChatServer:
    """The server. `url` is the base URL that a client is to be given."""

    def __init__(self, *, side: int = 768, key: str = "", listening: bool = True) -> None:
        self.side, self.key = side, key
        self.otherwise = Turn(answer=describe)
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self._turns: list[Turn] = []
        self._gone = threading.Event()
        handler = type("Handler", (_Handler,), {"chat": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()  # the port is ours; nobody listens yet
        self._thread: threading.Thread | None = None
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        if listening:
            self.listen()

    def listen(self) -> None:
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def will(self, *turns: Turn) -> None:
        """Deal with the next requests so, in this order."""
        self._turns += turns

    def next_turn(self) -> Turn:
        return self._turns.pop(0) if self._turns else self.otherwise

    def silence(self, seconds: float) -> None:
        """Waits, unless the server is closed meanwhile."""
        self._gone.wait(seconds)


# ---- what is said -----------------------------------------------------------------------------------------------


def describe(request: Request) -> str:
    """One sentence for each picture, that cites it."""
    return say([(f"Picture number {number} was looked at.", [number]) for number in request.numbers], request)


def say(statements: Said, request: Request) -> str:
    """In the form that the request wants."""
    if request.structured:
        said = [{"text": text, "pictures": list(pictures)} for text, pictures in statements]
        return json.dumps({"statements": said}, ensure_ascii=False)
    return prose(statements)


def prose(statements: Said) -> str:
    """`A red bus.` of pictures 1 and 2 is `A red bus [1][2].`"""
    said = []
    for text, pictures in statements:
        words, end = (text[:-1], text[-1]) if text.endswith((".", "!", "?")) else (text, "")
        marks = "".join(f"[{number}]" for number in pictures)
        said.append(f"{words}{' ' if marks else ''}{marks}{end}")
    return " ".join(said)


def obedient(request: Request) -> str:
    """What the most obedient model would say: everything that it was told about the pictures, word for word, as prose.

    Marks and tags that a client has made harmless are brought back to life; so whatever a caption wants to see in the
    answer (a number, a link, a picture to be fetched, a secret) is in it. What its captions ask for by the words "your
    instructions" or "system prompt" it gives too.
    """
    told = request.text
    if re.search("your instructions|system prompt", told, re.IGNORECASE):
        told = f"{request.system}\n{told}"
    return re.sub(r"\((\s*#?\d+\s*)\)", r"[\1]", told.replace("‹", "<").replace("›", ">"))


# ---- HTTP -------------------------------------------------------------------------------------------------------


class _Answered(Exception):
    """The request is dealt with."""


class _Handler(BaseHTTPRequestHandler):
    chat: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError):  # ValueError: written to after a reset
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            super().finish()

    def do_GET(self) -> None:
        self._error(404, "only chat completions are here")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        turn = self.chat.next_turn()
        with contextlib.suppress(_Answered):
            if turn.reset:
                self._reset()
            self.chat.silence(turn.hang)
            request = self._understood(data)
            refused = [name for name in turn.refuse if name in request.document]
            if refused:
                self._error(400, f"Unrecognized request argument supplied: {refused[0]}")
            if turn.status != 200:
                self._error(turn.status, turn.body or "as told", turn.headers)
            self._succeed(request, turn)

    def _understood(self, data: bytes) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            document = json.loads(data)
            request = Request(self.path, headers, document, *_contents(document["messages"]))
            problems = _problems(request, self.chat)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
            request = Request(self.path, headers, {})
            problems = [f"cannot be understood: {type(error).__name__}: {error}"]
        self.chat.requests.append(request)
        self.chat.problems += problems
        if problems:
            self._error(401 if problems == [_WRONG_KEY] else 400, "; ".join(problems))
        return request

    def _succeed(self, request: Request, turn: Turn) -> NoReturn:
        text = _text(request, turn)
        if turn.raw or turn.line:
            self._stream(turn, [turn.raw or b"data: " + b"x" * turn.line + b"\n\n"])
        if turn.whole or not request.document.get("stream"):
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(200, {"object": "chat.completion", "choices": [choice]})
        self._stream(turn, _events(text, turn))

    def _stream(self, turn: Turn, events: Iterator[bytes] | list[bytes]) -> NoReturn:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._silence(turn.stall, turn)
        for at, event in enumerate(events):
            if event == b"":
                self._cut()
            self._chunk(event)
            self._silence(turn.pause if at == 1 else 0, turn)  # event 0 has the role, and no text
        self._chunk(b"")
        raise _Answered

    def _silence(self, seconds: float, turn: Turn) -> None:
        step = turn.ping or seconds
        while seconds > 0:
            self.chat.silence(min(step, seconds))
            seconds -= step
            if turn.ping:
                self._chunk(b": still here\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> NoReturn:
        self._send(status, {"error": {"message": message, "type": "stub", "code": None}}, headers)

    def _send(self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> NoReturn:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        raise _Answered

    def _cut(self) -> NoReturn:
        """What was sent arrives; the last chunk, which says that the answer is whole, does not."""
        self.close_connection = True
        raise _Answered

    def _reset(self) -> NoReturn:
        """The client sees `connection reset`, not an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wfile.close()
        self.rfile.close()
        self.connection.close()
        self._cut()


def _text(request: Request, turn: Turn) -> str:
    if turn.text is not None:
        text = turn.text
    elif turn.statements is not None:
        text = say(turn.statements, request)
    elif turn.obey:
        text = obedient(request)
    else:
        text = (turn.answer or describe)(request)
    return f"```json\n{text}\n```" if turn.fenced else text


def _events(text: str, turn: Turn) -> Iterator[bytes]:
    """Server-sent events; an empty one stands for the cut."""
    yield _event({"role": "assistant", "content": ""})
    for start in range(0, len(turn.thinking), turn.piece):
        yield _event({"reasoning_content": turn.thinking[start : start + turn.piece]})
    shown = text if turn.cut is None else text[: turn.cut]
    for start in range(0, len(shown), turn.piece):
        event = _event({"content": shown[start : start + turn.piece]})
        yield event.replace("é".encode(), b"\xe9") if turn.latin1 else event
    if turn.cut is not None:
        yield b""
    if not turn.no_done:
        yield _event({}, "stop")
        yield b"data: [DONE]\n\n"


def _event(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    document = {"object": "chat.completion.chunk", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


# ---- what is checked --------------------------------------------------------------------------------------------


_WRONG_KEY = "the key is wrong"


def _contents(messages: Sequence[Mapping[str, Any]]) -> tuple[dict[int, Image.Image], str, str]:
    """Pictures by number, the system's text, all other texts."""
    images: dict[int, Image.Image] = {}
    texts: list[str] = []
    for message in messages[1:]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "text":
                texts.append(part["text"])
                continue
            number = int(re.findall(r"^Picture (\d+)", texts[-1], re.MULTILINE)[-1])
            if number in images:
                raise ValueError(f"picture {number} is sent twice")
            images[number] = _picture(part["image_url"]["url"])
    return images, str(messages[0]["content"]), "\n\n".join(texts)


def _picture(url: str) -> Image.Image:
    kind, _, data = url.partition(";base64,")
    if kind != "data:image/jpeg":
        raise ValueError(f"a picture is {kind[:40]!r}, no JPEG data URL")
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
        if image.format != "JPEG" or image.getexif():
            raise ValueError(f"a picture is {image.format}, or has metadata")
        return image.convert("RGB")


def _problems(request: Request, chat: ChatServer) -> list[str]:
    found = []
    document = request.document
    if urlsplit(request.path).path != "/v1/chat/completions":  # an absolute one where it serves as a proxy
        found.append(f"path {request.path}")
    if not isinstance(document.get("model"), str) or not isinstance(document.get("stream"), bool):
        found.append("model or stream is missing")
    if chat.key and request.headers.get("authorization") != f"Bearer {chat.key}":
        found.append(_WRONG_KEY)
    if document["messages"][0].get("role") != "system":
        found.append("the rules do not come first")
    if list(request.images) != sorted(request.images) or not set(request.images) <= set(request.numbers):
        found.append(f"pictures come as {list(request.images)}")
    for number, image in request.images.items():
        if max(image.size) > chat.side:
            found.append(f"picture {number} has {image.size} pixels, more than {chat.side}")
    return found
