"""`sightline serve` and `sightline mcp`: a collection as a web page and an HTTP API, or for programs that speak MCP.

Flags become a policy (guard.py) and an application (web.py, mcp_server.py), on this machine unless told otherwise. What
other machines can reach wants a token.
"""

from __future__ import annotations

import ipaddress
import secrets
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from sightline import render
from sightline.errors import MissingExtra, UsageError
from sightline.flags import CollectionFlag, examples, open_collection

if TYPE_CHECKING:
    from sightline.site import Site

PORT = 7860
MCP_PORT = 7861
SERVE = examples(
    "sightline serve                                 a page at http://127.0.0.1:7860",
    "sightline serve -c data/tables#family --read-only",
    "sightline serve --host 0.0.0.0                  for the whole network, with a token that is made and shown",
    "sightline serve --host 0.0.0.0 --allow-host photos.example.org --token LONG-SECRET",
    "curl -G http://127.0.0.1:7860/api/search --data-urlencode 'q=a red car'",
)
MCP = examples(
    "sightline mcp                                   for a program that starts it and talks over its pipes",
    "sightline mcp -c ~/Pictures/tables#family",
    "sightline mcp --http                            for programs on this machine, at http://127.0.0.1:7861/mcp",
)

HostFlag = Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0: everywhere.")]
PortFlag = Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0: any free one.")]


def serve(
    collection: CollectionFlag = None,
    host: HostFlag = "127.0.0.1",
    port: PortFlag = PORT,
    token: Annotated[
        str | None,
        typer.Option(metavar="T", help="What visitors have to bring. [default: none here, a new one for other hosts]"),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Let nobody add or remove pictures.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name by which this server is reached; repeatable."),
    ] = None,
) -> None:
    """Open a web page on the collection, and an HTTP API (docs/http.md). Ends with Ctrl-C."""
    run(collection, host=host, port=port, token=token, read_only=read_only, allow_host=allow_host or ())


def run(
    address: str | None,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str | None = None,
    read_only: bool = False,
    allow_host: list[str] | tuple[str, ...] = (),
) -> None:
    """Serve until Ctrl-C. Raises UsageError, and what opening the collection and its encoder raises."""
    from sightline import web

    target = open_collection(address)
    if not target.exists and read_only:
        raise UsageError(f"there is no collection '{target.address}'", hint="make it with: sightline index FOLDER")
    if target.encoder and target.model_notice:  # what is wrong with the encoder is said before the server stands
        render.note(target.model_notice)
    token = token_for(host, token)
    app = web.create_app(
        target,
        read_only=read_only,
        token=token,
        hosts=(host, *allow_host),
        any_address=not is_loopback(host),
        title=f"Sightline · {target.address.rpartition('#')[2]}",
    )

    def started(bound: str, number: int) -> None:
        render.out(f"{render.count(len(target), 'picture')} at {shown(bound, number, token)}")
        render.note("end with Ctrl-C")

    web.serve(app, host, port, started=started)


def mcp(
    collection: CollectionFlag = None,
    http: Annotated[bool, typer.Option("--http", help="Listen for HTTP instead of using stdin and stdout.")] = False,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where to listen. [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65535, help=f"Port; 0: any free one. [default: {MCP_PORT}]")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="T", help="What programs have to send. [default: none here, a new one for other hosts]"),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name by which this server is reached; repeatable."),
    ] = None,
) -> None:
    """Let assistants search, ask and look at your pictures, through the Model Context Protocol (docs/mcp.md).

    Nothing can be changed through it. It speaks over stdin and stdout or over HTTP, and ends with its client or Ctrl-C.
    """
    if find_spec("mcp") is None:
        raise MissingExtra("mcp", "the Model Context Protocol")
    if not http and (host, port, token, allow_host) != (None, None, None, None):
        raise UsageError("--host, --port, --token and --allow-host are about HTTP", hint="add --http")
    from sightline import mcp_server

    target = open_collection(collection, notify=render.note)
    if not target.exists:
        render.note(f"there is no collection '{target.address}' yet: sightline index FOLDER makes it")
    site = mcp_server.site_of(target)
    if http:
        _mcp_over_http(site, host or "127.0.0.1", MCP_PORT if port is None else port, token, tuple(allow_host or ()))
    else:
        mcp_server.run(site)


def _mcp_over_http(site: Site, host: str, port: int, token: str | None, names: tuple[str, ...]) -> None:
    from sightline import mcp_server, web
    from sightline.guard import LOOPBACK, Policy

    token = token_for(host, token)
    hosts = LOOPBACK | {name.lower() for name in (host, *names)}
    app = mcp_server.http_app(site, Policy(hosts=hosts, any_address=not is_loopback(host), token=token))

    def started(bound: str, number: int) -> None:
        address = shown(bound, number, None) + mcp_server.PATH.removeprefix("/")
        render.out(f"{render.count(len(site.collection), 'picture')} at {address}")
        if token:
            render.note(f"programs send the header: Authorization: Bearer {token}")
        render.note("end with Ctrl-C")

    web.serve(app, host, port, started=started)


def token_for(host: str, given: str | None) -> str | None:
    """What visitors have to bring: the given one, and where others can reach us a new one."""
    return secrets.token_urlsafe(24) if given is None and not is_loopback(host) else given


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(host: str, port: int, token: str | None) -> str:
    """The address to open in a browser. A server that listens everywhere is reached by the machine's own name too."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
