"""The JSON routes (docs/http.md): what comes over the wire becomes a verb of the site, what it gives a document.

Nothing else happens here; errors go up to web.py.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, File, Form, Header, Query, UploadFile
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, Response, StreamingResponse

from sightline.answers import Answer
from sightline.faults import document
from sightline.mapapi import mapping
from sightline.site import ID, MOST_HITS, Site, not_here
from sightline.thumbs import Thumbs
from sightline.wire import AskDocument, ItemDocument, Problem, RemovedDocument, SearchDocument, StatsDocument

IdPart = Annotated[str, PathPart(pattern=f"^{ID}$", description="id of an item")]
Words = Annotated[str, Query(max_length=10_000, description="a query in Sightline's language (docs/query.md)")]
K = Annotated[int, Query(ge=1, le=MOST_HITS, description="how many hits")]
Offset = Annotated[int, Query(ge=0, le=MOST_HITS, description="how many hits to leave out; offset + k is at most 1000")]
Least = Annotated[
    float | None, Query(ge=0, le=1, description="hits that are relevant with this probability; 0: all; default: 0.5")
]
IfNoneMatch = Annotated[str | None, Header(include_in_schema=False)]

EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["text", "answer", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
"""One server-sent event, as OpenAPI 3.2 and FastAPI describe them."""

KEPT = "private, max-age=31536000, immutable"
CHECKED = "private, max-age=60"

log = logging.getLogger("sightline.web")


def add_api(app: FastAPI, site: Site) -> None:
    """All routes but the pages."""
    for routes in (searching(site), items(site), pictures(site), asking(site), mapping(site)):
        app.include_router(routes)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse with, for its description."""
    return {status: {"model": Problem} for status in (400, 401, 403, 422, 500, 503, *statuses)}


def searching(site: Site) -> APIRouter:
    routes = APIRouter(tags=["search"])

    @routes.get("/api/search", response_model=SearchDocument, responses=_problems())
    async def search(
        q: Words,
        k: K = 20,
        offset: Offset = 0,
        min_relevance: Least = None,
        sort: Annotated[Literal["score", "date"], Query(description="order of the hits of a page")] = "score",
        group: Annotated[bool, Query(description="fold near-duplicates into the best of them")] = True,
    ) -> Response:
        """Find pictures by words, best first. A page of hits; `next_offset` leads to the next one."""
        page = await site.searching.run(
            site.search, q, k, offset=offset, min_relevance=min_relevance, sort=sort, group=group
        )
        return JSONResponse(site.page(page))

    @routes.post("/api/search", response_model=SearchDocument, responses=_problems(408, 413))
    async def search_by_picture(
        image: Annotated[UploadFile, File(description="the picture to search with")],
        q: Annotated[str, Form(max_length=10_000, description="words that refine it")] = "",
        k: Annotated[int, Form(ge=1, le=MOST_HITS)] = 20,
        offset: Annotated[int, Form(ge=0, le=MOST_HITS)] = 0,
        min_relevance: Annotated[float | None, Form(ge=0, le=1)] = None,
    ) -> Response:
        """Find pictures like this one; it is not kept."""
        picture = await image.read()
        page = await site.searching.run(site.search, q, k, offset=offset, min_relevance=min_relevance, picture=picture)
        return JSONResponse(site.page(page))

    @routes.get("/api/stats", response_model=StatsDocument, responses=_problems())
    async def stats() -> Response:
        """How many pictures there are, and which encoder finds them."""
        return JSONResponse(await site.showing.run(site.stats))

    return routes


def items(site: Site) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["items"])

    @routes.get("/items/{id}", response_model=ItemDocument, responses=_problems(404))
    async def item(id: IdPart) -> Response:
        """All that is known of one item."""
        return JSONResponse(site.item(await site.showing.run(site.get, id)))

    @routes.post("/items", response_model=ItemDocument, status_code=201, responses=_problems(408, 413))
    async def add(
        image: Annotated[UploadFile, File(description="a picture of at most 25 MB")],
        text: Annotated[str, Form(max_length=10_000, description="its caption")] = "",
    ) -> Response:
        """Add a picture. The same bytes again change its caption."""
        picture = await image.read()
        added = await site.searching.run(site.add, picture, text, name=image.filename or "")
        return JSONResponse(site.item(added), status_code=201, headers={"location": f"/api/items/{added.id}"})

    @routes.delete("/items/{id}", response_model=RemovedDocument, responses=_problems(404))
    async def remove(id: IdPart) -> Response:
        """Remove one item from the collection; its file stays."""
        removal = await site.searching.run(site.remove, id)
        return JSONResponse({"id": removal.id, "removed": 1, "undo": f"/api/items/{removal.id}/undo"})

    @routes.post("/items/{id}/undo", response_model=ItemDocument, responses=_problems(409))
    async def undo(id: IdPart) -> Response:
        """Bring back the item that was removed last, as long as nothing else has changed."""
        return JSONResponse(site.item(await site.searching.run(site.undo, id)))

    return routes


def pictures(site: Site) -> APIRouter:
    routes = APIRouter(tags=["pictures"])
    thumbs = Thumbs(site.showing, site.collection.thumbnails)
    given: dict[int | str, dict[str, Any]] = {
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "as before"},
    }

    @routes.get("/thumb/{id}", response_class=Response, responses={**_problems(404), **given})
    async def thumb(id: IdPart, v: str = "", if_none_match: IfNoneMatch = None) -> Response:
        """A JPEG of at most 256 px. With `v`, as in hits, it never changes."""
        found = await thumbs.get(id)
        if found is None:
            raise not_here(id)
        return _jpeg(found.data, f'"{_short(found.data)}"', if_none_match, keep=found.version.startswith(v or "-"))

    @routes.get(
        "/media/{id}",
        response_class=Response,
        responses={**_problems(404), **given, 206: given[200], 416: {"model": Problem}},
    )
    async def media(
        id: IdPart,
        v: str = "",
        if_none_match: IfNoneMatch = None,
        range: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Response:
        """The picture as a JPEG without metadata, at most 2,048 px; never the bytes that came in. Knows ranges."""
        item = await site.showing.run(site.get, id)
        etag = f'"{item.version[:16]}-2048"'
        kept = item.version.startswith(v or "-")
        if _matches(if_none_match, etag):
            return _jpeg(b"", etag, if_none_match, keep=kept)
        data = await site.showing.run(site.collection.view, id)
        return _part(data, range, etag, kept) if range else _jpeg(data, etag, None, keep=kept, ranges=True)

    return routes


def asking(site: Site) -> APIRouter:
    routes = APIRouter(tags=["ask"])
    events: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"itemSchema": EVENT}}, "description": "text, then answer"}
    }

    @routes.post("/api/ask", response_class=StreamingResponse, responses={**_problems(), **events})
    async def ask(question: AskDocument) -> Response:
        """Answer a question from the pictures. Events: `text` (a piece), last `answer` (checked, cited) or `error`."""
        pieces = site.asking.stream(lambda: site.ask(question.question, question.k, before=question.before))
        first = await anext(pieces)  # what is wrong with the question is told by the status
        return StreamingResponse(_events(site, first, pieces), media_type="text/event-stream")

    return routes


# ---- in call order --------------------------------------------------------------------------------------------


async def _events(site: Site, first: str | Answer, rest: AsyncIterator[str | Answer]) -> AsyncIterator[str]:
    yield _event(site, first)
    try:
        async for piece in rest:
            yield _event(site, piece)
    except Exception as error:
        log.exception("an answer broke off")
        yield _sent("error", document(error, site))


def _event(site: Site, piece: str | Answer) -> str:
    return _sent("text", {"text": piece}) if isinstance(piece, str) else _sent("answer", site.answer(piece))


def _sent(name: str, told: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n"


def _jpeg(data: bytes, etag: str, asked: str | None, *, keep: bool, ranges: bool = False) -> Response:
    headers = {"etag": etag, "cache-control": KEPT if keep else CHECKED}
    if ranges:
        headers["accept-ranges"] = "bytes"
    if _matches(asked, etag):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/jpeg", headers=headers)


def _part(data: bytes, asked: str, etag: str, keep: bool) -> Response:
    """One range (RFC 9110, 14.2); of several, or of what is no range, the whole is given."""
    headers = {"etag": etag, "cache-control": KEPT if keep else CHECKED, "accept-ranges": "bytes"}
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", asked.strip())
    if match is None or match.groups() == ("", ""):
        return Response(data, media_type="image/jpeg", headers=headers)
    first, last = match.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= end:
        headers["content-range"] = f"bytes */{len(data)}"
        told = {"error": "RangeNotThere", "message": f"the picture has {len(data)} bytes", "hint": "ask for less"}
        return JSONResponse(told, status_code=416, headers=headers)
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return Response(data[start:end], status_code=206, media_type="image/jpeg", headers=headers)


def _matches(asked: str | None, etag: str) -> bool:
    return asked is not None and (asked.strip() == "*" or etag in re.findall(r'"[^"]*"', asked))


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
