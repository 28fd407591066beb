"""Refusals: what somebody is told who is not answered. Programs get `{error, message, hint}`, browsers a page of it.

The page brings its style along and asks for nothing more: where a request is refused, the next one would be too.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

FOR_PROGRAMS = ("/api/", "/metrics", "/healthz", "/openapi.json")


def wants_page(accept: str, path: str) -> bool:
    """Whether a browser shows the answer: it names text/html, which programs do not, where pages are."""
    kinds = {kind.partition(";")[0].strip().lower() for kind in accept.split(",")}
    return bool(kinds & {"text/html", "application/xhtml+xml"}) and not path.startswith(FOR_PROGRAMS)


def told(status: int, document: Mapping[str, str], accept: str, path: str) -> tuple[bytes, dict[str, str]]:
    """The body of a refusal and the headers that belong to it."""
    if not wants_page(accept, path):
        return json.dumps(document).encode(), {"content-type": "application/json"}
    template, style = _page()
    body = template.render(
        status=status, style=style, message=_begun(document["message"]), hint=_begun(document["hint"])
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'"
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"{policy}; frame-ancestors 'none'",
        "vary": "accept",
    }
    return body.encode(), headers


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


@functools.cache
def _page() -> tuple[Template, str]:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    html = Environment(loader=PackageLoader("sightline"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    style = (importlib.resources.files("sightline") / "static" / "page.css").read_text(encoding="utf-8")
    return html.get_template("refused.html"), style
