"""The command `map`: a collection in two dimensions, as a figure, a page of its own or a list. cli.py registers it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline import render
from sightline.errors import MissingExtra, UsageError
from sightline.flags import NOTHING_FOUND, CollectionFlag, JsonFlag, examples, open_collection

if TYPE_CHECKING:
    from sightline.atlas import Atlas, Marked, Tell
    from sightline.collection import Collection
    from sightline.mapfigures import Captions
    from sightline.schema import Hits

MOST_HITS = 200
FITS = 0.5
PAGES = (".html", ".htm")

MAP = examples(
    "sightline map --save map.png",
    "sightline map --save map.html                     a page to move about in, one file",
    'sightline map --query "a stop sign" --save stop.png',
    "sightline map --captions --save words.png         captions beside their pictures",
    "sightline map | cut -f 1,2,4                      x, y and uri",
)


def map_(
    collection: CollectionFlag = None,
    query: Annotated[
        str | None, typer.Option("--query", "-q", metavar="QUERY", help="Show where this lies, and what it finds.")
    ] = None,
    captions: Annotated[bool, typer.Option("--captions", help="Place the captions too, as points.")] = False,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="FILE", help="Write it: .png, .svg, .pdf, or .html to move about in."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Lay the pictures out in two dimensions: what is near is alike, and words say what lies where.

    Of more than 10,000 pictures a random sample is shown. In a pipe: x, y, id, uri, caption, tab-separated. The layout
    is kept beside the collection, for the next time and for the page of `sightline serve`.
    """
    _check(save, query, captions)
    target = open_collection(collection)
    with _progress() as tell:
        atlas = target.atlases.get(tell)
    if not len(atlas):
        render.note("nothing found")
        raise typer.Exit(NOTHING_FOUND)
    found = target.search(query, MOST_HITS, min_relevance=0.0) if query else None
    mark = target.atlases.mark(atlas, found) if found is not None else None
    placed = _placed(target, atlas) if captions else None
    for line in _remarks(atlas, placed):
        render.note(line)
    if save:
        render.note(f"{_written(atlas, save, mark, found, placed)} written")
    if as_json:
        render.out(render.dump(_document(target, atlas, mark, found, placed)))
    else:
        _show(atlas, mark, found)


def _check(save: str | None, query: str | None, captions: bool) -> None:
    """Refuses what could not be written, before the work is done."""
    if query is not None and not query.strip():
        raise UsageError("the query is empty", hint='for example: --query "a stop sign"')
    if save is None:
        return
    if Path(save).suffix.lower() not in PAGES:
        from sightline import plots

        try:
            plots.check_path(save)
        except UsageError as error:
            suffixes = " ".join((*plots.SUFFIXES, PAGES[0]))
            raise UsageError(f"a map cannot be saved as '{Path(save).name}'; one of {suffixes} was expected") from error
    elif captions:
        raise UsageError("--captions goes with a figure, not with a page", hint="--save words.png")


@contextmanager
def _progress() -> Iterator[Tell | None]:
    """A bar on a terminal; nothing where a layout is there already."""
    import sys

    if not render.on_terminal(sys.stderr):
        yield None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=render.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("laying the pictures out", total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _placed(target: Collection, atlas: Atlas) -> Captions:
    """The first caption of each picture that has one, placed among the pictures."""
    import numpy as np

    from sightline.mapfigures import Captions

    own = [at for at, point in enumerate(atlas.points) if point.text.strip()]
    if not own:
        raise UsageError("no picture on this map has a caption", hint="leave --captions out")
    texts = [atlas.points[at].text.strip().split("\n", 1)[0] for at in own]
    vectors = [target.encoder.encode_text(texts[at : at + 64]) for at in range(0, len(texts), 64)]
    return Captions(atlas.among(np.concatenate(vectors)), np.array(own, np.intp))


def _remarks(atlas: Atlas, placed: Captions | None) -> Iterator[str]:
    from sightline.mapdocument import told
    from sightline.projection import PCA, is_installed

    yield told(atlas)
    if atlas.method == PCA and not is_installed():
        yield f"a plain map; one in which pictures that are alike lie together: {MissingExtra('map', '').hint}"
    if placed is not None:
        share, chance = placed.beside(atlas.positions), min(10 / len(atlas), 1)
        n = render.count(len(placed.own), "caption")
        yield f"of {n} {share:.0%} have their own picture among the 10 nearest on the map (by chance {chance:.1%})"


def _written(atlas: Atlas, save: str, mark: Marked | None, found: Hits | None, placed: Captions | None) -> Path:
    if Path(save).suffix.lower() in PAGES:
        from sightline import mapfile

        return mapfile.write(atlas, save, mark=mark, found=found)
    from sightline import mapfigures

    return mapfigures.draw(atlas, save, mark=mark, found=found, captions=placed)


def _document(
    target: Collection, atlas: Atlas, mark: Marked | None, found: Hits | None, placed: Captions | None
) -> dict[str, Any]:
    places = [[round(float(x), 4), round(float(y), 4)] for x, y in atlas.positions]
    told: dict[str, Any] = {
        "address": target.address,
        "rows": atlas.rows,
        "method": atlas.method,
        "sample": atlas.is_sample,
        "points": [{"id": point.id, "x": x, "y": y} for point, (x, y) in zip(atlas.points, places, strict=True)],
        "names": [
            {"text": one.text, "x": one.x, "y": one.y, "level": one.level, "pictures": one.pictures}
            for one in atlas.names
        ],
    }
    if found is not None and mark is not None:
        spot = None if mark.spot is None else {"x": round(float(mark.spot[0]), 4), "y": round(float(mark.spot[1]), 4)}
        hits = zip(found, mark.positions.tolist(), strict=True)
        told["query"] = {"query": found.query.raw, "spot": spot}
        told["query"]["hits"] = [
            {"rank": hit.rank, "id": hit.id, "relevance": hit.relevance, "x": round(x, 4), "y": round(y, 4)}
            for hit, (x, y) in hits
        ]
    if placed is not None:
        told["captions"] = {"n": len(placed.own), "own_among_10_nearest": round(placed.beside(atlas.positions), 4)}
    return told


def _show(atlas: Atlas, mark: Marked | None, found: Hits | None) -> None:
    """On a terminal what lies where, in a pipe every point."""
    if not render.on_terminal():
        for point, (x, y) in zip(atlas.points, atlas.positions.tolist(), strict=True):
            caption = point.text.split("\n", 1)[0]
            render.out("\t".join((f"{x:.4f}", f"{y:.4f}", point.id, render.field(point.uri), render.field(caption))))
        return
    if found is not None and mark is not None:
        rows = [
            (hit.rank, hit.name, render.shorten(found.query.caption_of(hit.text)), _where(*at))
            for hit, at in zip(found, mark.positions.tolist(), strict=True)
            if hit.relevance is None or hit.relevance >= FITS
        ]
        render.rows(("", "picture", "caption", "where"), rows[:10])
        return
    named = [name for name in atlas.names if name.level < 2]
    render.rows(
        ("what lies where", "pictures", "where"), [(one.text, one.pictures, _where(one.x, one.y)) for one in named]
    )


def _where(x: float, y: float) -> str:
    """A part of the map, in words."""
    down = "top" if y < -0.2 else "bottom" if y > 0.2 else ""
    across = "left" if x < -0.3 else "right" if x > 0.3 else ""
    return f"{down} {across}".strip() or "middle"
