"""Guard: what a request has to fulfil before anything is done for it, and what every answer says to browsers.

An ASGI middleware around the whole application. Against DNS rebinding: the Host has to be one of ours. Against other
web pages in the same browser: Origin and Sec-Fetch-Site. Against strangers: the token, where there is one. Against
floods: bodies are counted and timed while they come in. Sockets that send no request are sockets.py's business.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sightline import refusals
from sightline.errors import UsageError

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_UPLOAD = 25 * 2**20
COOKIE = "sightline"
LEAST_TOKEN = 16
OPEN = frozenset({"/healthz"})
"""Paths that need no token: they tell nothing but that there is a server."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_ENCODED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

log = logging.getLogger("sightline.web")


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is answered. `hosts` are the names and addresses that a Host header may have, whatever the port.

    `any_address`: besides, every literal IP address, for servers that others reach: no name, no rebinding. `stall` is
    how long, in seconds, a body may be without a further byte; on the whole it has to bring `pace` bytes a second.
    `uploads` bodies come in at a time.
    """

    hosts: frozenset[str] = LOOPBACK
    any_address: bool = False
    token: str | None = field(default=None, repr=False)
    most_upload: int = MOST_UPLOAD
    stall: float = 30.0
    pace: float = 1_000.0
    uploads: int = 16

    def __post_init__(self) -> None:
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not self.token.isascii()):
            raise UsageError(
                f"the token has {len(self.token)} characters; at least {LEAST_TOKEN} letters and digits were expected",
                hint="leave --token out, and one is made",
            )


class Refusal(Exception):
    """An answer that is given instead of the application's."""

    def __init__(
        self, status: int, error: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        self.document = {"error": error, "message": message, "hint": hint}


class Guard:
    """The middleware; one for each application."""

    def __init__(self, app: App, policy: Policy) -> None:
        self.app, self.policy = app, policy
        self.uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no route is a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        body = _Body(self, scope, receive)
        answer = _Answer(scope, send, body)
        try:
            admit(scope, self.policy)
            body.check_length()
            await self.app(scope, body.receive, answer.send)
        except Refusal as refusal:
            if not answer.begun:
                await answer.refuse(refusal)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not answer.begun:
                await answer.refuse(
                    Refusal(500, "InternalError", "something failed here", "the server's log has the details")
                )
        finally:
            body.end()


def admit(scope: Scope, policy: Policy) -> None:
    """Raises Refusal for a request that is not to be answered."""
    headers = _headers(scope)
    _check_host(headers, policy)
    _check_origin(scope, headers)
    _check_token(scope, headers, policy)


# ---- from where -----------------------------------------------------------------------------------------------


def _check_host(headers: Mapping[str, list[str]], policy: Policy) -> None:
    given = headers.get("host", [])
    name = _host_name(given[0]) if len(given) == 1 else None
    if name is None:
        raise Refusal(400, "BadHost", "the request names no host, or not one", "send one Host header")
    if name in policy.hosts or (policy.any_address and _is_address(name)):
        return
    raise Refusal(
        421,
        "HostNotAllowed",
        "this server is not known by that name",
        "use the address that it said when it was started, or start it with --allow-host NAME",
    )


def _host_name(given: str) -> str | None:
    """`[::1]:7860` -> `::1`; None for what is no host."""
    try:
        parts = urlsplit(f"//{given}")
        parts.port  # noqa: B018 — raises for what is no port
    except ValueError:
        return None
    is_bare = not (parts.path or parts.query or parts.fragment or "@" in given)
    return parts.hostname.rstrip(".") if parts.hostname and is_bare else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(scope: Scope, headers: Mapping[str, list[str]]) -> None:
    """Other pages may link to ours, and no more: they may not ask, embed, or send anything.

    A client that is no browser sends neither header.
    """
    sites, origins = headers.get("sec-fetch-site", []), headers.get("origin", [])
    is_safe = scope["method"] in ("GET", "HEAD")
    is_visit = is_safe and headers.get("sec-fetch-mode", []) == ["navigate"] and not scope["path"].startswith("/api/")
    foreign = any(site not in ("same-origin", "none") for site in sites) and not is_visit
    host = headers["host"][0]
    foreign = foreign or any(_place_of(origin) != host.lower() for origin in origins)
    if foreign:
        raise Refusal(403, "CrossSite", "the request comes from another web page", "ask from this server's own pages")


def _place_of(origin: str) -> str | None:
    """The host and port of an origin; None for `null` and what is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


# ---- who ------------------------------------------------------------------------------------------------------


def _check_token(scope: Scope, headers: Mapping[str, list[str]], policy: Policy) -> None:
    """A bearer token, or the cookie that a visit with `?token=` is given."""
    if policy.token is None or scope["path"] in OPEN:
        return
    if any(_same(_bearer(value), policy.token) for value in headers.get("authorization", [])):
        return
    if any(_same(value, cookie_of(policy.token)) for value in _cookies(headers)):
        return
    asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if scope["method"] == "GET" and any(name == "token" and _same(value, policy.token) for name, value in asked):
        raise _welcome(scope, headers, asked, policy.token)
    raise Refusal(
        401,
        "Unauthorized",
        "this server wants its token",
        "open the address that it said when it was started, or send Authorization: Bearer TOKEN",
        {"www-authenticate": 'Bearer realm="sightline"'},
    )


def _welcome(scope: Scope, headers: Mapping[str, list[str]], asked: Iterable[tuple[str, str]], token: str) -> Refusal:
    """Back to the same page without the token in its address, which histories keep."""
    rest = urlencode([(name, value) for name, value in asked if name != "token"])
    path = "/" + quote(scope["path"].lstrip("/"))  # not //elsewhere
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    cookie = f"{COOKIE}={cookie_of(token)}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000{secure}"
    target = f"{path}?{rest}" if rest else path
    return Refusal(303, "Welcome", "come in", headers={"location": target, "set-cookie": cookie})


def cookie_of(token: str) -> str:
    """What the cookie holds: enough to come in, and not the token."""
    return hmac.new(token.encode(), b"sightline cookie", hashlib.sha256).hexdigest()


def _bearer(value: str) -> str:
    scheme, _, given = value.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _cookies(headers: Mapping[str, list[str]]) -> list[str]:
    found = []
    for line in headers.get("cookie", []):
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        if COOKIE in jar:
            found.append(jar[COOKIE].value)
    return found


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


# ---- how much, how fast ---------------------------------------------------------------------------------------


class _Body:
    """The body of one request, counted and timed. What was announced is not believed, only refused when too large."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive) -> None:
        self._guard, self._policy, self._scope, self._receive = guard, guard.policy, scope, receive
        self._came = 0
        self._began: float | None = None
        self.is_complete = False
        self.refusal: Refusal | None = None

    def check_length(self) -> None:
        headers = _headers(self._scope)
        announced = headers.get("content-length", [])
        if any(value.isdigit() and len(value) < 20 and int(value) > self._policy.most_upload for value in announced):
            raise self._too_large()
        if not headers.get("transfer-encoding") and all(value.strip() in ("", "0") for value in announced):
            self.is_complete = True  # there is none

    async def receive(self) -> Message:
        """The next piece; after the last one, what becomes of the connection.

        Raises Refusal, and remembers it: parsers of bodies make something else of what they are thrown.
        """
        if self.is_complete:
            return await self._receive()
        try:
            return await self._next()
        except Refusal as refusal:
            self.refusal = refusal
            raise

    async def _next(self) -> Message:
        self._begin()
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, "TooSlow", "the body did not come in time", "send it again over a better line") from None
        self._came += len(message.get("body", b""))
        if self._came > self._policy.most_upload:
            raise self._too_large()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.is_complete = True
            self.end()
        return message

    def end(self) -> None:
        """It takes no place any more."""
        if self._began is not None:
            self._guard.uploads -= 1
            self._began = None

    def _begin(self) -> None:
        if self._began is not None:
            return
        if self._guard.uploads >= self._policy.uploads:
            raise Refusal(503, "Busy", "too much is being sent at once", "try again in a second", {"retry-after": "1"})
        self._guard.uploads += 1
        self._began = asyncio.get_running_loop().time()

    def _patience(self) -> float:
        """Seconds to wait for the next piece."""
        if self._began is None:
            return self._policy.stall
        passed = asyncio.get_running_loop().time() - self._began
        return max(0.0, min(self._policy.stall, self._policy.stall + self._came / self._policy.pace - passed))

    def _too_large(self) -> Refusal:
        most = self._policy.most_upload
        return Refusal(413, "TooLarge", f"the request is larger than {most:,} bytes", "send a smaller picture")


class _Answer:
    """The answer to one request, with the headers that each has."""

    def __init__(self, scope: Scope, send: Send, body: _Body) -> None:
        self._scope, self._send, self._body = scope, send, body
        self.begun = False

    async def send(self, message: Message) -> None:
        """Pass on what the application answers, unless its body was refused."""
        if self._body.refusal is None or self.begun:
            await self._pass(message)
        elif message["type"] == "http.response.start":
            raise self._body.refusal

    async def refuse(self, refusal: Refusal) -> None:
        kind: Mapping[str, str] = {}
        body = b""
        if refusal.status >= 400:
            accept = ",".join(_headers(self._scope).get("accept", []))
            body, kind = refusals.told(refusal.status, refusal.document, accept, self._scope["path"])
        headers = {**kind, "content-length": str(len(body)), **refusal.headers}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._pass({"type": "http.response.start", "status": refusal.status, "headers": encoded})
        await self._pass({"type": "http.response.body", "body": body})

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": self._with_ours(message.get("headers", []))}
        await self._send(message)

    def _with_ours(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        theirs = list(headers)
        names = {name.lower() for name, _ in theirs}
        ours = [(name, value) for name, value in _ENCODED if name not in names]
        if b"cache-control" not in names:
            ours.append((b"cache-control", b"no-store"))
        if not self._body.is_complete:  # what is still to come is not read
            ours.append((b"connection", b"close"))
        return [*theirs, *ours]


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found
