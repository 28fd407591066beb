"""pages: what people look at. A request becomes a view, a view becomes HTML (templates/), and no more.

    add_pages(app, Site(sightline.open("data/tables#photos")))

Every page works without JavaScript; what is in static/ makes it quicker. Captions, names, queries and answers are other
people's words: they reach HTML through Jinja's escaping alone, and no page holds a script or a style.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from sightline import mapdocument, render
from sightline import query as language
from sightline.errors import BadMedia, QueryError, SightlineError, UsageError
from sightline.faults import document, status_of
from sightline.schema import Hit, Hits, Query, Term
from sightline.site import NotHere, Site, is_id, links
from sightline.uploads import Uploads
from sightline.views import Form, View, chips, filtered, moment, refined

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from sightline.answers import Answer

Handler: TypeAlias = "Callable[[Request], Awaitable[Response]]"

NEIGHBOURS = 12
LONGEST = 300
MOST_BEFORE = 8
"""Questions that a follow-up may stand on."""
FOUND_BY = {"vector": "how it looks", "text": "its caption", "ocr": "text in the picture", "name": "its name"}
KINDS = (("image", "Pictures"), ("video", "Videos"), ("audio", "Sound"), ("text", "Texts"))


def add_pages(app: FastAPI, site: Site) -> None:
    """The pages of `site`: /, /item/ID, /ask, and where it may be written to /add."""
    from starlette.routing import Route

    pages = Pages(site)
    reading: Sequence[tuple[str, str, Handler]] = (
        ("GET", "/", pages.search),
        ("GET", "/filter", pages.filter),
        ("POST", "/picture", pages.send),
        ("GET", "/picture/{key}", pages.sent),
        ("GET", "/item/{ident}", pages.item),
        ("GET", "/ask", pages.ask),
        ("GET", "/map", pages.map),
        ("GET", "/static/{name}", pages.static),
    )
    writing: Sequence[tuple[str, str, Handler]] = (
        ("GET", "/add", pages.add_form),
        ("POST", "/add", pages.add),
        ("POST", "/item/{ident}/remove", pages.remove),
        ("POST", "/item/{ident}/undo", pages.undo),
    )
    for method, path, handler in (*reading, *(() if site.read_only else writing)):
        app.router.routes.append(Route(path, pages.guarded(handler), methods=[method]))


# ---- what templates are given ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture in a grid. `ratio` is the name of a class: width by height in steps of 0.05."""

    id: str
    href: str
    thumb: str
    ratio: str
    width: int
    height: int
    caption: str
    alt: str
    date: str
    relevance: str
    more: str
    less: str
    alike: tuple[tuple[str, str], ...]
    why: tuple[tuple[str, int], ...]


def shot(hit: Hit, view: View, query: Query) -> Shot:
    """`query` is what `view` typed: its words choose the caption that is shown."""
    caption = _short(query.caption_of(hit.text))
    alike = [(view.address(f"/item/{ident}"), links(ident, "")["thumb"]) for ident in hit.alike]
    why = [(FOUND_BY.get(name, name), round(100 * channel.share)) for name, channel in hit.why.items()]
    return Shot(
        id=hit.id,
        href=view.address(f"/item/{hit.id}"),
        thumb=links(hit.id, hit.version)["thumb"],
        ratio=ratio(hit.width, hit.height),
        width=hit.width,
        height=hit.height,
        caption=caption,
        alt=caption or f"picture without a caption, {hit.name}",
        date=moment(hit.captured_at.astimezone()) if hit.captured_at else "",
        relevance="" if hit.relevance is None else f"{round(100 * hit.relevance)} %",
        more=refined(view, query, hit.id),
        less="" if view.is_home else refined(view, query, hit.id, unlike=True),
        alike=tuple(alike),
        why=tuple(sorted((one for one in why if one[1]), key=lambda one: -one[1])),
    )


def _short(text: str) -> str:
    """A caption as far as a grid shows it; its picture's page has all of it."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def ratio(width: int, height: int) -> str:
    """r40 to r300: a picture's width by its height, as the style sheet knows it."""
    true = width / height if width > 0 and height > 0 else 4 / 3
    return f"r{round(min(max(true, 0.4), 3.0) * 20) * 5}"


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a conversation and its answer; None where it was answered on a page before."""

    question: str
    answer: Answer | None
    parts: tuple[tuple[str, int], ...] = ()
    shots: tuple[Shot, ...] = ()


_MARK = re.compile(r"\[(\d{1,4})\]")


def parts(text: str, hits: int) -> tuple[tuple[str, int], ...]:
    """Text and citations in turn: (text, 0) or ("[2]", 2). A number that no picture has is text."""
    found: list[tuple[str, int]] = []
    end = 0
    for mark in _MARK.finditer(text):
        number = int(mark[1])
        if 1 <= number <= hits:
            found += [(text[end : mark.start()], 0), (mark[0], number)]
            end = mark.end()
    return tuple(one for one in (*found, (text[end:], 0)) if one[0])


# ---- the pages ------------------------------------------------------------------------------------------------


class Pages:
    """Handlers of requests; each answers with HTML, or with where to go."""

    def __init__(self, site: Site) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self.site = site
        self.uploads = Uploads()
        self._static = _static_files()
        self._html = Environment(
            loader=PackageLoader("sightline"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._html.globals.update(static=self._static_address, site=site, kinds=KINDS)
        self._html.filters.update(moment=lambda when: moment(when.astimezone()) if when else "")

    def guarded(self, handler: Handler) -> Handler:
        """What the core raises becomes a page that says so."""

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except SightlineError as error:
                return self._failed(error)

        return guarded

    # -- finding ------------------------------------------------------------------------------------------------

    async def search(self, request: Request) -> Response:
        view = View.read(request.query_params)
        undo = request.query_params.get("undo", "")
        return await self.site.searching.run(self._search, view, undo if is_id(undo) else "")

    def _search(self, view: View, undo: str) -> Response:
        rows = len(self.site.collection)
        told: dict[str, Any] = {"view": view, "rows": rows, "undo": undo, "form": Form(), "chips": [], "shots": []}
        told |= {"error": None, "near": 0, "more": "", "unsure": "", "query": Query(raw="", terms=())}
        if not rows:
            return self._page("search.html", **told)
        try:
            query = view.typed()
            told |= {"query": query, "form": Form.of(query), "chips": chips(view, query)}
            found = self._find(view, query, view.k + 1)
        except (QueryError, UsageError) as error:
            return self._page("search.html", status=400, **told | {"error": self._said(error)})
        hits = [hit for hit in found if hit.rank <= view.k]
        told["shots"] = [shot(hit, view, query) for hit in hits]
        told["near"] = 0 if view.all or len(found) > view.k else found.near_misses
        told["more"] = view.address(k=min(2 * view.k, 960)) if len(found) > view.k else ""
        told["unsure"] = render.unsure(found)
        return self._page("search.html", **told)

    def _find(self, view: View, query: Query, k: int) -> Hits:
        if view.picture:
            picture = Term(picture=self.uploads.get(view.picture), name="picture")
            query = replace(query, terms=(picture, *query.terms))
        return self.site.collection.search(
            query,
            k,
            sort=view.sort,
            group=not view.each,
            min_relevance=0.0 if view.all else self.site.min_relevance,
        )

    async def filter(self, request: Request) -> Response:
        """The form of filters writes the query language."""
        view = View.read(request.query_params)
        try:
            query = filtered(view.typed(), Form.read(request.query_params))
        except QueryError as error:
            return self._failed(error)
        return _to(view.asks(query))

    async def send(self, request: Request) -> Response:
        """A picture to search by: what it finds has an address."""
        async with request.form(max_files=1, max_fields=8) as form:
            sent, at = form.get("picture"), form.get("at")
            data = b"" if sent is None or isinstance(sent, str) else await sent.read()
        if not data:
            raise UsageError("no picture was sent", hint="choose one, or drop it on the page")
        picture = await self.site.searching.run(self.site.clean, data)
        return _to(View(picture=self.uploads.put(picture), path="/map" if at == "/map" else "/").address())

    async def sent(self, request: Request) -> Response:
        from starlette.responses import Response

        data = self.uploads.get(request.path_params["key"])
        return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})

    # -- one picture --------------------------------------------------------------------------------------------

    async def item(self, request: Request) -> Response:
        view = View.read(request.query_params)
        return await self.site.searching.run(self._item, view, request.path_params["ident"])

    def _item(self, view: View, ident: str) -> Response:
        item = self.site.get(ident)
        query = view.typed()
        around = [hit.id for hit in self._find(view, query, view.k + 1)]
        at = around.index(ident) if ident in around else -1
        alone = Query(raw=f"id:{ident}", terms=(Term(item=ident),))
        alike = self.site.collection.search(alone, NEIGHBOURS, group=True)
        here = View(q=alone.raw)
        return self._page(
            "item.html",
            view=view,
            item=item,
            links=links(item.id, item.version),
            caption=query.caption_of(item.item.text),
            captions=[line for line in item.item.text.split("\n") if line.strip()],
            facts=_facts(self.site.item(item)),
            back=f"{view.address()}#h-{ident}",
            before=view.address(f"/item/{around[at - 1]}") if at > 0 else "",
            after=view.address(f"/item/{around[at + 1]}") if 0 <= at < len(around) - 1 else "",
            place=_place(at, len(around), view.k),
            more=refined(view, query, ident),
            less="" if view.is_home else refined(view, query, ident, unlike=True),
            like_address=here.address(),
            shots=[shot(hit, here, alone) for hit in alike],
        )

    # -- the map ------------------------------------------------------------------------------------------------

    async def map(self, request: Request) -> Response:
        view = View.read(request.query_params, path="/map")
        return await self.site.searching.run(self._map, view)

    def _map(self, view: View) -> Response:
        """What a search marks on the map, and the nearest as a list; the points come from /api/map."""
        atlases, rows = self.site.collection.atlases, len(self.site.collection)
        atlas = atlases.ready() if rows else None
        told: dict[str, Any] = {"view": view, "rows": rows, "atlas": atlas, "chips": [], "shots": [], "marks": None}
        told |= {"error": None, "marked": 0, "unsure": "", "about": mapdocument.told(atlas) if atlas else ""}
        try:
            query = view.typed()
            told["chips"] = chips(view, query)
            if view.is_home or not rows:
                return self._page("map.html", **told)
            found = self._find(replace(view, all=True, each=True), query, mapdocument.MOST_MARKED)
        except (QueryError, UsageError) as error:
            return self._page("map.html", status=400, **told | {"error": self._said(error)})
        fits = [hit for hit in found if hit.relevance is None or hit.relevance >= self.site.min_relevance]
        told |= {"marked": len(fits), "unsure": render.unsure(found)}
        told["shots"] = [shot(hit, view, query) for hit in (fits or found)[: mapdocument.MOST_LISTED]]
        if atlas is not None:
            told["marks"] = mapdocument.marks(atlases.mark(atlas, found), found)
        return self._page("map.html", **told)

    # -- asking -------------------------------------------------------------------------------------------------

    async def ask(self, request: Request) -> Response:
        asked = [one.strip() for one in request.query_params.getlist("q") if one.strip()]
        if not asked:
            return self._page("ask.html", view=View(), turns=[], asked=[])
        return await self.site.asking.run(self._ask, asked[-MOST_BEFORE:])

    def _ask(self, asked: Sequence[str]) -> Response:
        *before, question = asked
        answer = self.site.collection.ask(
            question, generator=self.site.generator, before=tuple((one, "") for one in before)
        )
        view = View(q=language.write(answer.question.query))
        shots = tuple(shot(hit, view, answer.question.query) for hit in answer.hits)
        turn = Turn(question, answer, parts(answer.text, len(answer.hits)), shots)
        return self._page("ask.html", view=View(), turns=[*(Turn(one, None) for one in before), turn], asked=asked)

    # -- adding and removing ------------------------------------------------------------------------------------

    async def add_form(self, _request: Request) -> Response:
        return self._page("add.html", view=View(), added=0, failed=[])

    async def add(self, request: Request) -> Response:
        async with request.form(max_files=200, max_fields=8) as form:
            files = [one for one in form.getlist("pictures") if not isinstance(one, str)]
            sent = [(one.filename or "", await one.read()) for one in files if one.size]
        if not sent:
            raise UsageError("no picture was sent", hint="choose some, or drop them on the page")
        added, failed = await self.site.searching.run(self._add, sent)
        return self._page("add.html", view=View(), added=added, failed=failed)

    def _add(self, sent: Sequence[tuple[str, bytes]]) -> tuple[int, list[str]]:
        """How many were added, and of the others why not."""
        failed = []
        for name, data in sent:
            try:
                self.site.add(data, name=name)
            except BadMedia as error:
                failed.append(str(error))
        return len(sent) - len(failed), failed

    async def remove(self, request: Request) -> Response:
        view = View.read(request.query_params)
        removal = await self.site.searching.run(self.site.remove, request.path_params["ident"])
        address = view.address()
        return _to(f"{address}{'&' if '?' in address else '?'}undo={removal.id}")

    async def undo(self, request: Request) -> Response:
        """Brings back the picture that was removed last."""
        view = View.read(request.query_params)
        await self.site.searching.run(self.site.undo, request.path_params["ident"])
        return _to(view.address())

    # -- the rest -----------------------------------------------------------------------------------------------

    async def static(self, request: Request) -> Response:
        from starlette.responses import Response

        name = request.path_params["name"]
        if name not in self._static:
            raise NotHere("there is no such file")
        is_this = request.query_params.get("v") == _tag(self._static[name])
        kept = "public, max-age=31536000, immutable" if is_this else "no-cache"
        kind = mimetypes.guess_type(name)[0]
        return Response(self._static[name], media_type=kind, headers={"cache-control": kept})

    def _static_address(self, name: str) -> str:
        return f"/static/{name}?v={_tag(self._static[name])}"

    def _failed(self, error: SightlineError) -> Response:
        status = status_of(error)
        page = self._page("error.html", status=status, view=View(), error=self._said(error))
        if status == 503:
            page.headers["retry-after"] = "1"
        return page

    def _said(self, error: SightlineError) -> Mapping[str, str]:
        """An error in words for anybody: what, what to do, and where in the query."""
        told = document(error, self.site)
        if not isinstance(error, QueryError) or error.at is None:
            return {**told, "placed": ""}
        text, at = error.text, error.at
        return {**told, "placed": "yes", "before": text[:at], "at": text[at : at + 1] or " ", "after": text[at + 1 :]}

    def _page(self, template: str, *, status: int = 200, **told: Any) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(self._html.get_template(template).render(**told), status_code=status)


def _to(address: str) -> Response:
    """Go there, by GET."""
    from starlette.responses import RedirectResponse

    return RedirectResponse(address, status_code=303)


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _static_files() -> dict[str, bytes]:
    folder = importlib.resources.files("sightline") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _place(at: int, found: int, k: int) -> str:
    """Where a picture stands among those found, of which `k` were shown; found is one more where there are more."""
    return "" if at < 0 else f"{at + 1} of {max(at + 1, min(found, k))}{'+' if found > k else ''}"


def _facts(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of an item, in words."""
    found = [("Name", item["name"])]
    if item["width"]:
        found.append(("Size", f"{item['width']:,} × {item['height']:,} pixels"))
    found.append(("Camera", item["camera"] or ""))
    found.append(("Kind", "" if item["modality"] == "image" else item["modality"]))
    for name, value in item["meta"].items():
        told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found.append((str(name)[:100].replace("_", " ").capitalize(), told))
    return [(name, value[:2_000]) for name, value in found if value]
