"""The map over HTTP: its points, and a figure of it.

GET /api/map           where the pictures lie; 202 with how far that is while they are laid out
GET /map.png           the same as a figure
"""

from __future__ import annotations

import gzip
import json
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse, Response

from sightline.atlas import Atlas
from sightline.errors import CollectionError
from sightline.mapdocument import document, nothing
from sightline.site import NotHere, Site
from sightline.wire import MapDocument, Problem
from sightline.workers import Busy

EMPTY = Atlas((), np.zeros((0, 2), np.float32), np.zeros((0, 1), np.float32), "", 0, (), "empty", lambda _: {})


def mapping(site: Site) -> APIRouter:
    routes = APIRouter(tags=["map"])
    refused: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 401, 403, 500, 503)}
    whole = Whole()

    @routes.get(
        "/api/map",
        response_model=MapDocument,
        responses={**refused, 202: {"model": MapDocument}, 304: {"description": "as before"}},
    )
    async def map_(
        if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
        accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Where the pictures lie: positions in [-1, 1], alike ones near each other. 202 while they are laid out."""
        atlas = await site.showing.run(ready, site)
        if atlas is None:
            waiting = nothing("making", site.collection.atlases.progress)
            return JSONResponse(waiting, status_code=202, headers={"retry-after": "1", "cache-control": "no-store"})
        headers = {"etag": f'"{atlas.tag}"', "cache-control": "private, no-cache", "vary": "accept-encoding"}
        if if_none_match is not None and headers["etag"] in if_none_match:
            return Response(status_code=304, headers=headers)
        packed = await site.showing.run(whole.packed, atlas)
        if "gzip" in accept_encoding:
            return Response(packed, media_type="application/json", headers={**headers, "content-encoding": "gzip"})
        return Response(gzip.decompress(packed), media_type="application/json", headers=headers)

    @routes.get("/map.png", include_in_schema=False)
    async def figure() -> Response:
        """The map as a picture, for who has no JavaScript."""
        atlas = await site.showing.run(ready, site)
        if atlas is None:
            raise Busy("the map is being laid out", hint="look again in a moment")
        if not len(atlas):
            raise NotHere("there are no pictures to show on a map")
        data = await site.asking.run(whole.figure, atlas)
        return Response(data, media_type="image/png", headers={"cache-control": "private, max-age=60"})

    return routes


def ready(site: Site) -> Atlas | None:
    """The map; None while it is made. Raises CollectionError when it cannot be."""
    if not site.collection.exists:
        return EMPTY
    atlas = site.collection.atlases.ready()
    if atlas is None and (failure := site.collection.atlases.failure):
        raise CollectionError(f"the map could not be made: {site.said(failure)}", hint="the server's log says more")
    return atlas


class Whole:
    """The newest map in the forms in which it goes out, each made once."""

    def __init__(self) -> None:
        self._tag, self._forms = "", dict[str, bytes]()
        self._making = threading.Lock()

    def packed(self, atlas: Atlas) -> bytes:
        return self._form(atlas, "json", lambda: gzip.compress(json.dumps(document(atlas)).encode(), 5, mtime=0))

    def figure(self, atlas: Atlas) -> bytes:
        return self._form(atlas, "png", lambda: _png(atlas))

    def _form(self, atlas: Atlas, name: str, make: Callable[[], bytes]) -> bytes:
        with self._making:
            if self._tag != atlas.tag:
                self._tag, self._forms = atlas.tag, {}
            if name not in self._forms:
                self._forms[name] = make()
            return self._forms[name]


def _png(atlas: Atlas) -> bytes:
    from sightline import mapfigures

    with tempfile.TemporaryDirectory() as folder:
        return mapfigures.draw(atlas, Path(folder) / "map.png").read_bytes()
