"""`sightline demo`: the whole story on the bundled street scenes, told with the numbers of this very run.

Index, searches by words, by a sentence with a date, without something, for what is not there, a question, a picture; a
figure, and what to type next. It ends by itself.
"""

from __future__ import annotations

import shutil
import textwrap
import time
from pathlib import Path

from sightline import collection, plots, render
from sightline.encoders import POCKET
from sightline.errors import UnknownModel
from sightline.flags import MIN_RELEVANCE, listed
from sightline.progress import ticker
from sightline.reports import IngestReport
from sightline.schema import Hits

ADDRESS = "data/tables#streets"
FIGURE = Path("data/demo.png")
QUERIES = ("a road with a stop sign", "a red sports car at night", "an airplane over a desert road")
REFINED = ("the yellow taxi I added today", "a bus on a highway - night")
ABSENT = "an elephant on the road"
QUESTION = "how many pictures have a red traffic light?"
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
    render.out("  ranked by caption and picture together; the number is how likely it is to be what was asked for")
    by_words = [_search(scenes, words) for words in QUERIES]
    render.heading("3. As people ask: with a date, without something")
    refined = [_search(scenes, words) for words in REFINED]
    render.heading("4. What is not there is not found")
    _search(scenes, ABSENT)
    render.heading("5. An answer, with the pictures it rests on")
    _ask(scenes, QUESTION)
    render.heading("6. Search by picture")
    first = next((hits[0] for hits in by_words if hits), None) or scenes.sample(1, seed=0)[0]
    render.out(f"  more like {render.plain(first.name)}; the number is how alike the pictures are, -1 to 1")
    like_this = scenes.search(f"id:{first.id}", SHOWN - 1)
    _list(like_this)
    picture = scenes.picture(first.id)
    found = [hits for hits in (*by_words, *refined[1:]) if hits]
    rows = [*(plots.section(hits, k=SHOWN) for hits in found), plots.section(like_this, picture=picture)]
    render.heading("7. All of it in one figure")
    render.out(f"  {plots.board(rows, figure)}")
    render.heading("Now with your own pictures")
    for command, meaning in NEXT:
        render.out(f"  {command:<48}{meaning}")


NEXT = (
    ("sightline index ~/Pictures", "put a folder into the collection"),
    ('sightline search "a dog on the beach"', "find by words"),
    ('sightline ask "when did I last see a dog?"', "an answer, with its pictures"),
    ("sightline search ~/Pictures/dog.jpg", "find by picture"),
    ('sightline search "sunset last summer" --show', "see what was found"),
    ("sightline dups", "list near-duplicates"),
    ("sightline models", "which models find more"),
)


def _index(scenes: collection.Collection) -> IngestReport:
    with ticker("auto", count=lambda: listed(["streets"])) as progress:
        try:
            return scenes.ingest("streets", progress=progress)
        except UnknownModel:  # made by a former version, with the model that came along then
            scenes.rebuild(model=POCKET, progress=progress)
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
    hits = scenes.search(words, SHOWN, group=True, min_relevance=MIN_RELEVANCE)
    render.out(f"  “{words}”  ({(time.perf_counter() - started) * 1000:,.0f} ms)")
    if understood := render.understood(hits.query):
        render.out(f"    {understood}")
    _list(hits)
    if not hits:
        render.out("    nothing found that fits")
    return hits


def _ask(scenes: collection.Collection, question: str) -> None:
    answer = scenes.ask(question)
    render.out(f"  “{question}”")
    for line in textwrap.wrap(render.plain(answer.text), shutil.get_terminal_size((100, 24)).columns - 6):
        render.out(f"    {line}")
    for number, hit in enumerate(answer.hits, 1):
        if hit in answer.cited[:K]:
            render.out(f"    [{number}]  {render.shorten(answer.question.query.caption_of(hit.text))}")


def _list(hits: Hits) -> None:
    width = shutil.get_terminal_size((100, 24)).columns - 16
    for hit in hits[:K]:
        number = f"{hit.score:.3f}" if hit.relevance is None else f"{hit.relevance:>5.0%}"
        caption = textwrap.shorten(render.plain(hits.query.caption_of(hit.text)), width, placeholder="…")
        render.out(f"    {hit.rank}  {number}  {caption}")
