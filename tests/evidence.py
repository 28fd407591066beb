"""Hits and evidence made by hand, for what writes answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from PIL import Image

from sightline.answers import Evidence, Intent, Question
from sightline.schema import Hit, Item, Modality, Query, StoredItem, Term


def png(size: tuple[int, int] = (64, 48), colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def hit(number: int, text: str = "", *, load: Callable[[], bytes] = png, name: str = "", rank: int = 0) -> Hit:
    """The hit whose id is `number` in 32 digits."""
    return Hit(
        rank=rank or number,
        id=f"{number:032}",
        uri=f"file:///photos/{number}.png",
        name=name or f"{number}.png",
        score=0.5,
        text=text,
        modality=Modality.IMAGE,
        load=load,
        captured_at=datetime(2024, 6, number, 12, tzinfo=UTC),
    )


def evidence(hits: Sequence[Hit], *, asked: str = "a bus", matches: int = 0, rows: int = 0, **ocr: str) -> Evidence:
    """`matches` of `rows` pictures; `ocr` is the text that a hit's picture shows, by `n` and its number: n1="STOP"."""
    question = Question(asked, Query(asked, (Term(text=asked),)), Intent.WHAT)
    more = tuple(replace(hits[0], id=f"more-{at}") for at in range(len(hits), matches))
    items = {one.id: _stored(one, ocr.get(f"n{number}")) for number, one in enumerate(hits, 1)}
    return Evidence(question, tuple(hits), (*hits, *more), rows=rows, cutoff=0.5, items=items)


def _stored(one: Hit, ocr: str | None) -> StoredItem:
    item = Item(one.uri, one.name, one.load, one.text)
    moment = datetime(2024, 7, 1, tzinfo=UTC)
    return StoredItem(item, one.id, "v", 64, 48, one.captured_at, moment, b"", ocr=ocr)
