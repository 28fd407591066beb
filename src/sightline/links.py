"""`urls:FILE` sources: a list of addresses, one a line, each perhaps followed by a tab and a caption.

An address is whatever somebody wrote into a list, so a fetch reaches public web servers only: see `fetch`. What is in
the collection is not fetched again unless `--rehash` asks for it.
Try it: `python -c "from sightline.links import fetch; print(len(fetch('https://example.org/a.jpg')))"`.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import socket
import string
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, unquote, urljoin, urlsplit

from sightline import hub, signatures
from sightline.captions import joined
from sightline.errors import BadMedia, SourceError
from sightline.schema import Item, Skipped, SkipReason
from sightline.sources import HeldBytes, NotRead, shown

if TYPE_CHECKING:
    import ssl

    import httpcore2

SECONDS = 10.0
"""For one picture, redirects included; looking up the name has the system's own limit."""
MAX_BYTES = 20 * 2**20
"""Counted while they arrive, whatever the server announces."""
REDIRECTS = 3

_AT_ONCE = 8
_LOOKED_UP = 64
_LINE = 2**16  # bytes of a line that are read
_MAX_URL = 4096
_REDIRECT = (301, 302, 303, 307, 308)


@dataclass(slots=True)
class Links:
    """The pictures of a list. Eight are fetched at a time; they come in the order of the list.

    `settled` is bound by an ingest: what it has is listed without being fetched.
    """

    path: str
    offline: bool = False
    allow_private: bool = False
    settled: Callable[[Sequence[str]], bool] | None = None
    roots: tuple[str, ...] = ()
    unlisted: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item | Skipped]:
        hub.refuse_offline(f"urls:{shown(self.path)}", self.offline)
        waiting: deque[Future[Item | Skipped]] = deque()
        found = False
        with ThreadPoolExecutor(_AT_ONCE, "sightline-fetch") as pool:
            try:
                for url, text, here in self._looked_up():
                    found = True
                    waiting.append(pool.submit(self._entry, url, text, here))
                    if len(waiting) >= 2 * _AT_ONCE:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if not found:
            raise SourceError(f"urls:{shown(self.path)} holds no address", hint="one a line, then a tab and a caption")

    def _looked_up(self) -> Iterator[tuple[str, str, bool]]:
        """Address, captions, and whether the ingest has it; asked here, for its store is not for many threads."""
        lines = self._lines()
        while some := list(itertools.islice(lines, _LOOKED_UP)):
            ask = self.settled or (lambda urls: False)
            every = ask([url for url, _ in some])
            for url, text in some:
                yield url, text, every or ask([url])

    def _lines(self) -> Iterator[tuple[str, str]]:
        try:
            with open(self.path, "rb") as file:
                for line in _short_lines(file):
                    url, *captions = line.decode("utf-8-sig", "replace").strip().split("\t")
                    if url and not url.startswith("#"):
                        yield url.strip(), joined(captions)
        except OSError as error:
            raise SourceError(
                f"urls:{shown(self.path)}: {error.strerror}", hint="give a file with one address a line"
            ) from None

    def _entry(self, url: str, text: str, here: bool) -> Item | Skipped:
        name = unquote(url.split("?")[0].rstrip("/").rsplit("/", 1)[-1], errors="replace") or url
        if here:
            return Item(url, name, NotRead(url), text, fixed=True, keep="original")
        try:
            data = fetch(url, allow_private=self.allow_private)
        except BadMedia as error:
            return Skipped(url, SkipReason(error.reason), str(error))
        return Item(url, name, HeldBytes(data), text, size=len(data), keep="original")


def fetch(url: str, *, allow_private: bool = False) -> bytes:
    """The bytes of a picture on the web, at most MAX_BYTES in SECONDS.

    http and https only; the name is looked up once, and the connection goes to that very address, which has to be
    public (`allow_private` lifts this) again at each of at most REDIRECTS redirects; no proxy, cookie or login is used.
    Raises BadMedia with `fetch_failed`, or with what `signatures.check_head` says of the first bytes.
    """
    deadline = time.monotonic() + SECONDS
    for _ in range(1 + REDIRECTS):
        found = _get(url, deadline, allow_private)
        if isinstance(found, bytes):
            return found
        url = urljoin(url, found.location)
    raise _failed(f"more than {REDIRECTS} redirects")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also where it wraps a v4 address in a v6 one."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and (ip in _NAT64 or ip in _COMPATIBLE):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class _Moved:
    location: str


def _get(url: str, deadline: float, allow_private: bool) -> bytes | _Moved:
    import httpcore2

    host, port = _target(url)
    address = _resolved(host, port, allow_private)
    try:
        headers = [("Host", _netloc(urlsplit(url).netloc)), *_HEADERS.items()]
        asked = httpcore2.Request("GET", _ascii(url), headers=headers)
        with httpcore2.ConnectionPool(network_backend=_pinned(address, deadline)) as pool:
            response = pool.handle_request(asked)
            try:
                return _answer(response)
            finally:
                response.close()
    except (httpcore2.TimeoutException, TimeoutError):
        raise _failed(f"not here within {SECONDS:.0f} seconds") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
        raise _failed(f"{type(error).__name__}: {str(error)[:100]}") from None


_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "sightline", "Connection": "close"}


def _answer(response: httpcore2.Response) -> bytes | _Moved:
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    if response.status in _REDIRECT and b"location" in headers:
        return _Moved(headers[b"location"])
    if response.status != 200:
        raise _failed(f"status {response.status}")
    if headers.get(b"content-encoding", "identity") != "identity":
        raise _failed("sent packed, which was not asked for")
    data = bytearray()
    checked = False
    for chunk in response.iter_stream():
        data += chunk
        if len(data) > MAX_BYTES:
            raise _failed(f"more than {MAX_BYTES:,} bytes")
        if not checked and len(data) >= signatures.HEAD:
            signatures.check_head(bytes(data[: signatures.HEAD]))
            checked = True
    signatures.check_head(bytes(data[: signatures.HEAD]))
    return bytes(data)


def _target(url: str) -> tuple[str, int]:
    """Host and port of an address that may be fetched at all."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _failed(f"no address: {error}") from None
    if len(url) > _MAX_URL or re.search(r"[\x00-\x20\x7f\\]", url):
        raise _failed("no address: too long, or with characters that none has")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _failed("only http and https addresses are fetched")
    if parts.username is not None or parts.password is not None:
        raise _failed("an address with a login in it is not fetched")
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _resolved(host: str, port: int, allow_private: bool) -> str:
    """The address behind a name; every one that the name has must be public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _failed("the name of the server is not known") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise _failed("the server is on a private, local or reserved address")
    return addresses[0]


def _pinned(address: str, deadline: float) -> httpcore2.NetworkBackend:
    """Connects to `address` whatever host is asked for, and lets no wait outlast `deadline`."""
    import httpcore2

    class Stream(httpcore2.NetworkStream):
        def __init__(self, inner: httpcore2.NetworkStream) -> None:
            self.inner = inner

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return self.inner.read(max_bytes, _left(deadline))

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self.inner.write(buffer, _left(deadline))

        def close(self) -> None:
            self.inner.close()

        def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> httpcore2.NetworkStream:
            return Stream(self.inner.start_tls(ssl_context, server_hostname, _left(deadline)))

        def get_extra_info(self, info: str) -> Any:
            return self.inner.get_extra_info(info)

    class Backend(httpcore2.NetworkBackend):
        def connect_tcp(
            self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
        ) -> httpcore2.NetworkStream:
            return Stream(httpcore2.SyncBackend().connect_tcp(address, port, _left(deadline), *args, **kwargs))

    return Backend()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _ascii(url: str) -> str:
    """Letters beyond ASCII as percent escapes; the host is ASCII, or is not known to any name server."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    return f"{parts.scheme}://{_netloc(parts.netloc)}{quote(target, safe=string.printable)}"


def _netloc(netloc: str) -> str:
    return netloc if netloc.isascii() else netloc.encode("idna").decode()


def _short_lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines of at most _LINE bytes; the rest of a longer one is dropped."""
    while line := file.readline(_LINE):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(_LINE)


def _failed(why: str) -> BadMedia:
    return BadMedia(SkipReason.FETCH_FAILED, why)
