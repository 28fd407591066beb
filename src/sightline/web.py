"""The web server: one collection behind a guard. Composition and errors only; routes are in api.py and pages.py.

    from sightline import collection, web

    web.serve(web.create_app(collection.open("data/tables#photos")), "127.0.0.1", 7860)

`create_app` gives an ASGI application for any server; `serve` runs it with uvicorn, whose patience sockets.py limits.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from sightline import refusals
from sightline.api import add_api
from sightline.errors import SightlineError, UsageError
from sightline.faults import document, status_of
from sightline.guard import LOOPBACK, App, Guard, Policy
from sightline.meters import Meters
from sightline.site import Site

if TYPE_CHECKING:
    from sightline.collection import Collection
    from sightline.generate import Generator

log = logging.getLogger("sightline.web")


def create_app(
    collection: Collection,
    *,
    read_only: bool = False,
    token: str | None = None,
    hosts: Iterable[str] = (),
    any_address: bool = False,
    generator: Generator | str | None = None,
    title: str = "Sightline",
    policy: Policy | None = None,
) -> FastAPI:
    """The application. `hosts`: further names that it may be reached by; `any_address`: by any literal IP address.

    `token`: who does not bring it is not answered; at least 16 characters. `policy` instead of these three sets every
    limit. Raises UsageError.
    """
    site = Site(collection, title=title, read_only=read_only, generator=generator)
    if policy is None:
        policy = Policy(hosts=LOOPBACK | {name.lower() for name in hosts}, any_address=any_address, token=token)
    warmth = Warmth(site)
    app = FastAPI(
        title=title,
        version=version("sightline"),
        description="Search and question a collection of pictures. Every refusal is {error, message, hint}.",
        docs_url=None,  # FastAPI's page loads its scripts from a CDN
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan(site, warmth),
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.site = site
    meters = Meters()
    add_api(app, site)
    _add_care(app, site, warmth, meters)
    _add_handlers(app, site)
    if importlib.util.find_spec("sightline.pages"):
        from sightline.pages import add_pages

        add_pages(app, site)
    app.add_middleware(Guard, policy=policy)
    app.add_middleware(meters.middleware)
    return app


class Warmth:
    """Whether the first search has been made: it loads the encoder and opens the tables."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.is_warm = False
        self.failed = False

    def warm(self) -> None:
        try:
            if self._site.collection.exists:
                self._site.collection.warm()
                self._site.search("a picture", 1)
            else:
                self._site.collection.encoder.encode_text(["a picture"])
            self.is_warm = True
        except Exception:
            self.failed = True
            log.exception("the first search failed")


def serve(
    app: App,
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    started: Callable[[str, int], None] | None = None,
) -> None:
    """Run until Ctrl-C or SIGTERM. `started` is told host and port (which one, for port 0) once they are bound.

    Raises UsageError when they cannot be.
    """
    import uvicorn

    from sightline.sockets import PatientProtocol

    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=32 * 2**10,  # of a request's headers
        timeout_graceful_shutdown=5,
    )
    with _bound(host, port) as bound:
        if started is not None:
            started(host, bound.getsockname()[1])
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn passes it on when it has ended
            uvicorn.Server(config).run(sockets=[bound])


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as unless_bound:
            bound = unless_bound.enter_context(socket.socket(family, kind, proto))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(512)  # who comes before the server is up waits, and is not turned away
            unless_bound.pop_all()
    except OSError as error:
        raise UsageError(
            f"cannot serve at {host}:{port}: {error.strerror or error}", hint="give another --port, or 0 for any"
        ) from error
    return bound


# ---- in call order --------------------------------------------------------------------------------------------


def _lifespan(site: Site, warmth: Warmth) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=warmth.warm, name="sightline-warm", daemon=True).start()
        yield
        site.close()

    return alive


def _add_care(app: FastAPI, site: Site, warmth: Warmth, meters: Meters) -> None:
    @app.get("/healthz", tags=["care"], responses={503: {"description": "not warm yet"}})
    async def healthz() -> JSONResponse:
        """Whether searches are answered at once: the encoder is loaded and one search was made."""
        state = "ready" if warmth.is_warm else "failed" if warmth.failed else "warming"
        return JSONResponse({"status": state}, status_code=200 if warmth.is_warm else 503)

    @app.get("/metrics", tags=["care"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters and times in Prometheus's text format."""
        busy = {pool.name: pool.under_way for pool in (site.searching, site.showing, site.asking)}
        return PlainTextResponse(meters.text(busy), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_described(app.openapi()))


def _add_handlers(app: FastAPI, site: Site) -> None:
    """Every error as `{error, message, hint}`."""

    @app.exception_handler(SightlineError)
    async def ours(request: Request, error: SightlineError) -> Response:
        status = status_of(error)
        if status >= 500 and status != 503:
            log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
        headers = {"retry-after": "1"} if status == 503 else None
        return _refused(request, status, document(error, site), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = {
            "error": "ValidationError",
            "message": f"{where}: {first['msg']}",
            "hint": "/docs lists what is expected",
        }
        return _refused(request, 422, told)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        name, message = _HTTP.get(error.status_code, ("HTTPError", str(error.detail)))
        told = {"error": name, "message": message, "hint": "/docs lists what there is"}
        return _refused(request, error.status_code, told, error.headers)


def _refused(
    request: Request, status: int, document: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Response:
    body, kind = refusals.told(status, document, request.headers.get("accept", ""), request.url.path)
    return Response(body, status_code=status, headers={**kind, **(headers or {})})


_HTTP = {
    404: ("NotFound", "there is nothing at this address"),
    405: ("MethodNotAllowed", "this address does not take that method"),
}


def _described(openapi: dict[str, Any]) -> str:
    """The API as a plain page."""
    parts = []
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation.get('description', operation.get('summary', '')))}</p>")
            rows = [
                f"<li><code>{escape(one['name'])}</code> ({one['in']}{', needed' if one.get('required') else ''}) "
                f"{escape(one.get('description', ''))}</li>"
                for one in operation.get("parameters", [])
            ]
            parts.append(f"<ul>{''.join(rows)}</ul>" if rows else "")
    title = escape(openapi["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: HTTP API</title>'
        f"<h1>{title}: HTTP API</h1><p>{escape(openapi['info']['description'])} "
        f'The whole description: <a href="/openapi.json">/openapi.json</a></p>{"".join(parts)}</html>'
    )
