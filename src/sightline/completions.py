"""An OpenAI-compatible server over HTTP: a document for `/chat/completions` goes there, pieces of text come back.

What comes from a server is data: lines, answers and messages are bounded and cleaned, bad UTF-8 is replaced, redirects
are not followed. Knows no prompt and no picture (chat.py). The key is sent to the server and shown nowhere.

    place = Endpoint("http://127.0.0.1:11434/v1")
    "".join(pieces(place, {"model": "gemma3", "messages": [{"role": "user", "content": "hello"}]}))
"""

from __future__ import annotations

import ipaddress
import json
import math
import random
import re
import socket
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from sightline.errors import GeneratorError, UsageError

if TYPE_CHECKING:
    import httpx2

TRIES = 4
"""Attempts at what may pass: a busy server, one that is just starting."""
WAIT = 0.5
"""Seconds before the second attempt, give or take half; each further wait is twice as long, unless the server says."""
LONGEST_WAIT = 60.0
"""A server that asks for a longer pause is not waited for."""
MAX_LINE = 2**20
MAX_ANSWER = 2**16
"""Characters. An answer about a handful of pictures has a few hundred."""
MAX_STREAM = 2**24
"""Bytes of all events together, thoughts included."""

_PASSING = (429, 500, 502, 503, 504)
_MESSAGE = 200  # characters of a server's own words in ours
_ERROR_BODY = 2**16


class Refused(GeneratorError):
    """The server does not take the request as it is (status 400 or 422). `said`: its words, cleaned."""

    def __init__(self, message: str, *, hint: str, said: str) -> None:
        super().__init__(message, hint=hint)
        self.said = said


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is, how it is logged in to, and how long it is waited for, in seconds.

    `connect`: for a connection; `first`: for the first sign of an answer, and for its first words; `between`: for each
    further piece.
    Raises UsageError for a URL or a key that cannot be used, before anything is sent.
    """

    url: str
    key: SecretStr | None = None
    connect: float = 5.0
    first: float = 120.0
    between: float = 60.0

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.key is not None and not re.fullmatch(r"[\x21-\x7e]+", self._secret):
            raise UsageError(
                "the generator's key has characters that none has, or is empty", hint="check SIGHTLINE_GENERATOR_KEY"
            )

    @property
    def host(self) -> str:
        """Host and port as people write them."""
        return urlsplit(self.url).netloc

    @property
    def local(self) -> bool:
        """Whether it is on this machine: what is sent there does not leave it."""
        return is_loopback(urlsplit(self.url).hostname or "")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._secret}"} if self.key is not None else {}

    def without_key(self, text: str) -> str:
        return text.replace(self._secret, "(key)") if self._secret else text

    @property
    def _secret(self) -> str:
        return self.key.get_secret_value().strip() if self.key is not None else ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name; no name server is asked, nor trusted (`x.localhost`)."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def pieces(endpoint: Endpoint, document: Mapping[str, Any], *, tries: int = TRIES) -> Generator[str, None, None]:
    """The text of the first choice, as it streams.

    Until the server begins to answer, what may pass (_PASSING, a refused or reset connection) is tried again. Raises
    Refused before the first piece, and GeneratorError: when there is no answer, or after what came when it broke off.
    """
    with _client(endpoint) as client:
        request = _request(client, endpoint, document)
        response = _answered(client, request, endpoint, str(document.get("model", "")), tries)
        with _translated(endpoint, _Watch(response, endpoint.first)) as watch:
            yield from _bounded(_content(response, endpoint), watch, endpoint)


# ---- asking --------------------------------------------------------------------------------------------------------


def _client(endpoint: Endpoint) -> httpx2.Client:
    """Proxies and certificates that a system has set are for other machines."""
    import httpx2

    timeout = httpx2.Timeout(connect=endpoint.connect, read=endpoint.first, write=60.0, pool=endpoint.connect)
    headers = {**endpoint.headers, "Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
    try:
        return httpx2.Client(timeout=timeout, headers=headers, trust_env=not endpoint.local)
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        said = _short(str(error).partition("\n")[0])
        raise UsageError(f"the proxy that is set cannot be used: {said}", hint="check HTTPS_PROXY") from None


def _request(client: httpx2.Client, endpoint: Endpoint, document: Mapping[str, Any]) -> httpx2.Request:
    import httpx2

    try:
        return client.build_request("POST", f"{endpoint.url.rstrip('/')}/chat/completions", json=document)
    except httpx2.InvalidURL as error:
        raise UsageError(f"the generator's base URL cannot be used: {_short(str(error))}", hint=_SET_URL) from None


def _answered(
    client: httpx2.Client, request: httpx2.Request, endpoint: Endpoint, model: str, tries: int
) -> httpx2.Response:
    """The response of status 200, its body not yet read."""
    import httpx2

    for attempt in range(1, tries + 1):
        wait = WAIT * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 — spreads clients, guards nothing
        try:
            response = client.send(request, stream=True)
        except httpx2.TransportError as error:
            if attempt == tries or not _may_pass(error):
                raise _unreachable(endpoint, error) from None
        else:
            if response.status_code == 200:
                return response
            wait = _retry_after(response) or wait
            fault = _fault(endpoint, model, response)
            if attempt == tries or response.status_code not in _PASSING or wait > LONGEST_WAIT:
                raise fault
        sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _may_pass(error: BaseException | None) -> bool:
    """Refused, reset, or closed before an answer; not a name that nobody knows, a certificate, or silence."""
    import httpx2

    while error is not None:
        if isinstance(error, ConnectionError | httpx2.RemoteProtocolError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110)."""
    named = response.headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,9}(\.\d+)?", named):
        return float(named)
    try:
        moment = parsedate_to_datetime(named)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


# ---- reading -------------------------------------------------------------------------------------------------------


def _bounded(content: Iterator[str], watch: _Watch, endpoint: Endpoint) -> Iterator[str]:
    """Pieces without control characters; the clock stands while the reader of the answer takes its time."""
    said = 0
    for piece in content:
        clean = _CONTROL.sub("", piece).encode("utf-8", "replace").decode()
        said += len(clean)
        if said > MAX_ANSWER:
            raise GeneratorError(
                f"the answer went beyond {MAX_ANSWER:,} characters and was cut there",
                hint="ask more narrowly",
            )
        watch.stand()
        if clean:
            yield clean
        watch.renew(endpoint.between if said else endpoint.first)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed


def _content(response: httpx2.Response, endpoint: Endpoint) -> Iterator[str]:
    """Text of each event, empty for one that has none; the whole text at once from a server that does not stream."""
    response.encoding = "utf-8"  # whatever it says; what is not is replaced
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        document = _parsed(_body(response, MAX_LINE), endpoint)
        yield _text(document, "message")
        _check_end(document, endpoint)
    elif kind == "text/event-stream":
        yield from _events(response, endpoint)
    else:
        raise GeneratorError(f"{endpoint.host} answered with {_short(kind) or 'no kind of text'}", hint=_SET_URL)


def _events(response: httpx2.Response, endpoint: Endpoint) -> Iterator[str]:
    import httpx2

    size, ended = 0, False
    for event in httpx2.EventSource(response, max_event_size=MAX_LINE):
        size += len(event.data)
        if size > MAX_STREAM:
            raise GeneratorError(f"{endpoint.host} sent more than {MAX_STREAM:,} bytes", hint="choose another model")
        if event.data.strip() == "[DONE]":
            return
        document = _parsed(event.data, endpoint)
        yield _text(document, "delta")
        ended = _check_end(document, endpoint) or ended
    if not ended:
        raise GeneratorError(f"{endpoint.host} ended the answer too early", hint="ask again")


def _parsed(text: str, endpoint: Endpoint) -> dict[str, Any]:
    """A chunk or an answer. Raises GeneratorError for what is none, and where it tells of a fault."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("error"):
        said = _short(endpoint.without_key(_message(document))) or "it sent what is no answer"
        raise GeneratorError(f"{endpoint.host} broke off: {said}", hint="ask again")
    return document


def _text(document: Mapping[str, Any], field: str) -> str:
    """What the first choice says; `field` is `delta` in a chunk, `message` in a whole answer."""
    message = _choice(document).get(field)
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # parts, as Mistral sends them
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _check_end(document: Mapping[str, Any], endpoint: Endpoint) -> bool:
    """Whether the answer ends here. Raises GeneratorError where it ends before its time."""
    reason = _choice(document).get("finish_reason")
    if reason in _UNFINISHED:
        raise GeneratorError(f"{endpoint.host} ended the answer at {_UNFINISHED[reason]}", hint="ask more narrowly")
    return reason is not None


_UNFINISHED = {"length": "its limit of tokens", "content_filter": "its filter of contents"}


def _choice(document: Mapping[str, Any]) -> dict[str, Any]:
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _body(response: httpx2.Response, limit: int) -> str:
    held = ""
    for part in response.iter_text():
        held += part
        if len(held) > limit:
            break
    return held[:limit]


class _Watch:
    """Ends a connection on which no piece came in time, whatever else keeps it alive.

    httpx2 limits how long one read of a socket waits: comments that a server sends between pieces would count as life,
    and the first read of an answer cannot have another limit than the rest. `late`: it was ended.
    """

    def __init__(self, response: httpx2.Response, seconds: float) -> None:
        response.request.extensions["timeout"]["read"] = None  # from here on it is this clock
        self._response = response
        self._socket = response.extensions["network_stream"].get_extra_info("socket")
        self._changed = threading.Condition()
        self._deadline = monotonic() + seconds
        self._over = self.late = False
        threading.Thread(target=self._run, name="sightline-watch", daemon=True).start()

    def renew(self, seconds: float) -> None:
        with self._changed:
            self._deadline = monotonic() + seconds
            self._changed.notify()

    def stand(self) -> None:
        self.renew(math.inf)

    def end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._response.close()

    def _run(self) -> None:
        with self._changed:
            while not self._over:
                left = self._deadline - monotonic()
                if left <= 0:
                    self.late = True
                    with suppress(OSError):
                        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # a read that waits returns at once
                    return
                self._changed.wait(None if left == math.inf else left)


@contextmanager
def _translated(endpoint: Endpoint, watch: _Watch) -> Iterator[_Watch]:
    """What httpx2 raises inside becomes a GeneratorError; the connection is closed in any case."""
    import httpx2

    try:
        yield watch
    except httpx2.SSEError:
        raise GeneratorError(f"{endpoint.host} sent a line of more than {MAX_LINE:,} bytes", hint=_SET_URL) from None
    except (httpx2.RequestError, httpx2.StreamError):
        if watch.late:
            raise GeneratorError(f"{endpoint.host} fell silent in the middle of its answer", hint=_PATIENCE) from None
        raise GeneratorError(f"the connection to {endpoint.host} was cut", hint="ask again") from None
    finally:
        watch.end()


# ---- what went wrong, in our words ---------------------------------------------------------------------------------

_SET_URL = "set SIGHTLINE_GENERATOR_URL to the base URL of an OpenAI-compatible server; it mostly ends in /v1"
_SET_KEY = "set SIGHTLINE_GENERATOR_KEY to a key of that server"
_PATIENCE = "SIGHTLINE_GENERATOR_FIRST_SECONDS and SIGHTLINE_GENERATOR_BETWEEN_SECONDS say how long it is waited for"


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fault = _fault_of(parts)
    except ValueError:
        fault = "it is no address"
    if fault:
        raise UsageError(f"the generator's base URL cannot be used: {fault}", hint=_SET_URL)


def _fault_of(parts: SplitResult) -> str:
    """Empty for a URL that can be used. Raises ValueError for a port that is none."""
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port is not None and not parts.port):
        return "it is no http or https address"
    if parts.username is not None or parts.password is not None:
        return "it has a login in it; a key goes into SIGHTLINE_GENERATOR_KEY"
    return "it has a query or a fragment" if parts.query or parts.fragment else ""


def _unreachable(endpoint: Endpoint, error: httpx2.TransportError) -> GeneratorError:
    import httpx2

    if isinstance(error, httpx2.ConnectTimeout):
        return GeneratorError(f"{endpoint.host} was not there within {endpoint.connect:g} seconds", hint=_SET_URL)
    if isinstance(error, httpx2.TimeoutException):
        return GeneratorError(f"{endpoint.host} did not answer within {endpoint.first:g} seconds", hint=_PATIENCE)
    if isinstance(error, httpx2.ConnectError):
        why = _short(str(error))
        return GeneratorError(
            f"no connection to {endpoint.host}{f': {why}' if why else ''}", hint=f"is the server running? {_SET_URL}"
        )
    return GeneratorError(f"{endpoint.host} cut the connection before it answered", hint="look at the server's log")


def _fault(endpoint: Endpoint, model: str, response: httpx2.Response) -> GeneratorError:
    """For a status that is not 200; the response is closed."""
    status, host, said = response.status_code, endpoint.host, _said(endpoint, response)
    added = f": {said}" if said else ""
    if status in (400, 422):
        return Refused(f"{host} refuses the request{added}", hint=f"is {model} the right model?", said=said)
    if status in (401, 403):
        what = "refuses the key" if endpoint.key else "wants a key"
        return GeneratorError(f"{host} {what} (status {status}){added}", hint=_SET_KEY)
    if status == 404:
        hint = f"check the model's name (Ollama: `ollama pull {model}`), or {_SET_URL}"
        return GeneratorError(f"{endpoint.url} has no model {model!r}{added}", hint=hint)
    if status == 413:
        hint = "set SIGHTLINE_GENERATOR_SIDE lower, or ask with a smaller k"
        return GeneratorError(f"the request is too large for {host}{added}", hint=hint)
    if 300 <= status < 400:
        to = _short(response.headers.get("Location", ""))
        return GeneratorError(f"{host} points elsewhere ({to}); redirects are not followed", hint=_SET_URL)
    what = "asks for a pause" if status == 429 else f"is out of order (status {status})"
    return GeneratorError(f"{host} {what}{added}", hint="try again in some minutes, or look at the server's log")


def _said(endpoint: Endpoint, response: httpx2.Response) -> str:
    """A server's own words about an error: short, without control characters and without the key."""
    watch = _Watch(response, endpoint.connect)
    text = ""
    with suppress(GeneratorError), _translated(endpoint, watch):
        text = _body(response, _ERROR_BODY)
    try:
        message = _message(json.loads(text))
    except (ValueError, RecursionError):
        message = "" if text.lstrip().startswith("<") else text  # a web page says nothing in its first words
    return _short(endpoint.without_key(message))


def _message(document: Any) -> str:
    """OpenAI's {"error": {"message"}}, Ollama's {"error"}, FastAPI's {"detail"}."""
    if isinstance(document, dict):
        return _message(document.get("error") or document.get("message") or document.get("detail"))
    return document if isinstance(document, str) else ""


def _short(text: str) -> str:
    seen = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return seen if len(seen) <= _MESSAGE else seen[: _MESSAGE - 1] + "…"
