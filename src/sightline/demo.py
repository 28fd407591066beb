"""`sightline demo`: the whole story on the bundled street scenes, told with the numbers of this very run.

Index, three searches by words, one by picture, a figure, and what to type next. It ends by itself.
"""

from __future__ import annotations

import shutil
import textwrap
import time
from pathlib import Path

from sightline import collection, plots, render
from sightline.encoders import POCKET
from sightline.flags import listed
from sightline.schema import Hits, IngestReport

ADDRESS = "data/tables#streets"
FIGURE = Path("data/demo.png")
QUERIES = ("a road with a stop sign", "a red sports car at night", "a plane above the desert")
K = 3
SHOWN = 4  # tiles in a row of the figure


def tell(address: str = ADDRESS, figure: Path = FIGURE) -> None:
    """Prints the story on stdout and writes the figure."""
    scenes = collection.open(address)
    if not scenes.exists:
        scenes = collection.open(address, model=POCKET)  # in a minute, also where a large model has been fetched
    render.out("Sightline, shown on the street scenes that come with it")
    render.heading("1. Pictures into a collection")
    _indexed(_index(scenes))
    render.heading("2. Search by words")
    render.out("  ranked by caption and picture together; the number is how near the picture alone is, -1 to 1")
    by_words = [_search(scenes, words) for words in QUERIES]
    render.heading("3. Search by picture")
    first = by_words[0][0]
    render.out(f"  more like {render.plain(first.name)}")
    like_this = scenes.search(f"id:{first.id}", SHOWN - 1)
    _list(like_this)
    picture = scenes.picture(first.id)
    rows = [*(plots.section(hits, k=SHOWN) for hits in by_words), plots.section(like_this, picture=picture)]
    render.heading("4. All of it in one figure")
    render.out(f"  {plots.board(rows, figure)}")
    render.heading("Now with your own pictures")
    for command, meaning in NEXT:
        render.out(f"  {command:<44}{meaning}")


NEXT = (
    ("sightline index ~/Pictures", "put a folder into the collection"),
    ('sightline search "a dog on the beach"', "find by words"),
    ("sightline search ~/Pictures/dog.jpg", "find by picture"),
    ('sightline search "sunset" --save found.png', "see what was found"),
    ("sightline models", "which models find more"),
)


def _index(scenes: collection.Collection) -> IngestReport:
    with render.ticker("auto", count=lambda: listed(["streets"])) as progress:
        return scenes.ingest("streets", progress=progress)


def _indexed(report: IngestReport) -> None:
    if report.encoded:
        pace = f" in {render.duration(report.seconds)}, {report.encoded / report.seconds:,.0f} pictures/s"
        render.out(f"  {render.count(report.encoded, 'street scene')} encoded with {report.model}{pace}")
    else:
        unchanged = render.count(report.unchanged, "street scene")
        render.out(f"  {unchanged}, nothing new: done in {render.duration(report.seconds)}")
    render.out(f"  {report.address} holds {render.count(report.rows, 'picture')}")


def _search(scenes: collection.Collection, words: str) -> Hits:
    started = time.perf_counter()
    hits = scenes.search(words, SHOWN)
    render.out(f"  “{words}”  ({(time.perf_counter() - started) * 1000:,.0f} ms)")
    _list(hits)
    return hits


def _list(hits: Hits) -> None:
    width = shutil.get_terminal_size((100, 24)).columns - 16
    for hit in hits[:K]:
        render.out(
            f"    {hit.rank}  {hit.score:.3f}  {textwrap.shorten(render.plain(hit.caption), width, placeholder='…')}"
        )
