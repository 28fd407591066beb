"""The map as a document: all its points for the API, the page and the file, and what a search marks on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightline.atlas import Atlas, Marked, Point
from sightline.schema import Hits

MOST_MARKED = 200
"""Hits that a map shows."""
MOST_LISTED = 24
"""Of these the nearest, as a list beside it."""
MOST_FOLDERS = 200


def document(atlas: Atlas) -> dict[str, Any]:
    """All points in the order of their ids: columns, since ten thousand objects would be three times as long."""
    types, type_of = _kinds([point.modality.value for point in atlas.points])
    folders, folder_of = _kinds([point.folder for point in atlas.points])
    return {
        "state": "ready",
        "progress": 1.0,
        "rows": atlas.rows,
        "points": len(atlas),
        "sample": atlas.is_sample,
        "method": atlas.method,
        "ids": [point.id for point in atlas.points],
        "x": [round(x, 4) for x in atlas.positions[:, 0].tolist()],
        "y": [round(y, 4) for y in atlas.positions[:, 1].tolist()],
        "taken": [_taken(point) for point in atlas.points],
        "type": type_of,
        "types": types,
        "folder": folder_of,
        "folders": folders,
        "names": [
            {"text": one.text, "x": one.x, "y": one.y, "level": one.level, "pictures": one.pictures}
            for one in atlas.names
        ],
    }


def told(atlas: Atlas) -> str:
    """What a person should know of this map, on one line."""
    if not atlas.is_sample:
        return f"{atlas.rows:,} pictures · near each other: alike ({atlas.method})"
    return f"{len(atlas):,} of {atlas.rows:,} pictures, drawn at random · near each other: alike ({atlas.method})"


def nothing(state: str, progress: float = 0.0) -> dict[str, Any]:
    """The same document before there are points."""
    empty: dict[str, Any] = {name: [] for name in ("ids", "x", "y", "taken", "type", "types", "folder", "folders")}
    return {
        "state": state,
        "progress": round(progress, 3),
        "rows": 0,
        "points": 0,
        "sample": False,
        "method": "",
        **empty,
        "names": [],
    }


def marks(mark: Marked, found: Hits) -> dict[str, Any]:
    """A search on the map: where its words lie, and [id, x, y, how well it fits] of each hit, best first."""
    spot = None if mark.spot is None else [round(float(one), 4) for one in mark.spot]
    hits = [
        [hit.id, round(x, 4), round(y, 4), None if hit.relevance is None else round(hit.relevance, 3)]
        for hit, (x, y) in zip(found, mark.positions.tolist(), strict=True)
    ]
    return {"hits": hits, "spot": spot, "label": label(found)}


def label(found: Hits) -> str:
    """What the query is called where it stands on the map."""
    said = found.query.text or ("your picture" if found.query.terms else "")
    return said if len(said) <= 40 else f"{said[:39]}…"


def _taken(point: Point) -> int | None:
    """Seconds since 1970."""
    return None if point.captured_at is None else int(point.captured_at.timestamp())


def _kinds(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The different values, and which of them each is; beyond the most frequent ones all are one, at the end."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))
    number = {name: min(at, MOST_FOLDERS) for at, name in enumerate(names)}
    shown = names[:MOST_FOLDERS] + (["others"] if len(names) > MOST_FOLDERS else [])
    return shown, [number[value] for value in values]
