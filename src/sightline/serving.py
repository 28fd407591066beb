"""`sightline serve`: a collection as a web page and an HTTP API, on this machine unless told otherwise.

Flags become a policy (guard.py) and an application (web.py). What other machines can reach wants a token.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import Annotated

import typer

from sightline import render
from sightline.errors import UsageError
from sightline.flags import CollectionFlag, examples, open_collection

PORT = 7860
SERVE = examples(
    "sightline serve                                 a page at http://127.0.0.1:7860",
    "sightline serve -c data/tables#family --read-only",
    "sightline serve --host 0.0.0.0                  for the whole network, with a token that is made and shown",
    "sightline serve --host 0.0.0.0 --allow-host photos.example.org --token LONG-SECRET",
    "curl -G http://127.0.0.1:7860/api/search --data-urlencode 'q=a red car'",
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
    is_private = is_loopback(host)
    if token is None and not is_private:
        token = secrets.token_urlsafe(24)
    app = web.create_app(
        target,
        read_only=read_only,
        token=token,
        hosts=(host, *allow_host),
        any_address=not is_private,
        title=f"Sightline · {target.address.rpartition('#')[2]}",
    )

    def started(bound: str, number: int) -> None:
        render.out(f"{render.count(len(target), 'picture')} at {shown(bound, number, token)}")
        render.note("end with Ctrl-C")

    web.serve(app, host, port, started=started)


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
