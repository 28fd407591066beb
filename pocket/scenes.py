"""What is true of street scenes, also of a part of one: attributes, questions about them, where things are.

Three states: true, false, and not to be asked (doubtful, or cut off by a crop). Knows numpy; no torch, no texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from streets.truth import COUNTED, GROUPS, PLURALS

Floats = NDArray[np.float64]
TRUE, UNKNOWN, FALSE = 1.0, 0.5, 0.0
EITHER = " or "
BOTH = " + "
"""As in streets/queries.py: needs are joined by BOTH, ways to fulfil one need by EITHER."""
INSIDE = 0.6
"""Share of a thing's box that a crop has to show; less of it, and the crop is not asked for the thing."""
WHOLE = 0.8
"""Share of the picture below which a crop is not asked for areas and numbers."""
FACING = {"away": "away", "towards": "oncoming"}
FEWEST = 3
"""Scenes that an attribute must be true of, to be learnt."""


class Scenes:
    """The states of `attributes` over n scenes, and the needs of questions as columns of them."""

    def __init__(self, records: Sequence[dict[str, Any]], attributes: Sequence[str] | None = None) -> None:
        self.attributes = list(attributes) if attributes is not None else common(records)
        self._column = {name: at for at, name in enumerate(self.attributes)}
        self.either: list[list[int]] = []
        """Columns behind the attributes: any of several of them."""
        self._counted = np.array([_is_count(name) for name in self.attributes])
        boxes = [_boxes(record["entities"], self._column) for record in records]
        self._boxes = boxes
        located = {column for own in boxes for column in own}
        self._areas = np.array([at not in located for at in range(len(self.attributes))]) & ~self._counted
        self._areas &= np.array([":" not in name for name in self.attributes])
        self.located = sorted(located)
        """Columns of attributes that have boxes."""
        self._states = np.zeros((len(records), len(self.attributes)), np.float32)
        for row, record in enumerate(records):
            for name in record["attributes"]:
                if name in self._column:
                    self._states[row, self._column[name]] = TRUE
            for name in record["doubtful"]:
                if name in self._column:
                    self._states[row, self._column[name]] = UNKNOWN

    def __len__(self) -> int:
        return len(self._states)

    def knows(self, needs: str) -> bool:
        return all(name in self._column for need in needs.split(BOTH) for name in need.split(EITHER))

    def needs(self, questions: Sequence[str]) -> NDArray[np.int64]:
        """(q, most needs) columns of `seen` that must all be true; filled up with one that always is."""
        rows = []
        for question in questions:
            row = []
            for need in question.split(BOTH):
                columns = [self._column[name] for name in need.split(EITHER)]
                if len(columns) > 1 and columns not in self.either:
                    self.either.append(columns)
                row.append(columns)
            rows.append(row)
        always = len(self.attributes) + len(self.either)
        most = max(map(len, rows))
        found = np.full((len(rows), most), -1)
        for at, row in enumerate(rows):
            for place, columns in enumerate(row):
                single = len(columns) == 1
                found[at, place] = columns[0] if single else len(self.attributes) + self.either.index(columns)
        found[found < 0] = always
        return found

    def seen(self, rows: Sequence[int], crops: Floats | None = None) -> NDArray[np.float32]:
        """States (n, columns) of scenes, seen whole or through crops (n, 4) of left, top, right, bottom in [0, 1]."""
        states = self._states[list(rows)].copy()
        if crops is not None:
            area = areas(crops)
            for at, (row, crop) in enumerate(zip(rows, crops, strict=True)):
                own = states[at]
                for column, boxes in self._boxes[row].items():
                    if own[column] == TRUE and max(inside(box, crop) for box in boxes) < INSIDE:
                        own[column] = UNKNOWN
                if area[at] < WHOLE:
                    own[self._counted] = UNKNOWN
                    own[self._areas & (own == TRUE)] = UNKNOWN
        either = [states[:, columns].max(1) for columns in self.either]
        return np.column_stack([states, *either, np.full(len(states), TRUE, np.float32)]).astype(np.float32)

    def answers(self, needs: NDArray[np.int64], seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, q): the least state of the needs: one that is false makes the whole false, whatever is unknown."""
        found: NDArray[np.float32] = seen[:, needs].min(2)
        return found

    def cells(self, row: int, crop: Floats, flip: bool, width: int, height: int) -> NDArray[np.float32]:
        """(height, width, located): 1 where at least a third of the cell, or of the box, is covered."""
        labels = np.zeros((height, width, len(self.located)), np.float32)
        size, scale = np.array([crop[2] - crop[0], crop[3] - crop[1]]), np.array([width, height])
        for place, column in enumerate(self.located):
            for box in self._boxes[row].get(column, ()):
                left, top, right, bottom = (np.array(box) - np.tile(crop[:2], 2)) / np.tile(size, 2) * np.tile(scale, 2)
                if flip:
                    left, right = width - right, width - left
                across = _covered(left, right, width)
                down = _covered(top, bottom, height)
                covered = down[:, None] * across[None, :]
                enough = covered > min(1.0, (right - left) * (bottom - top)) / 3
                labels[:, :, place][enough & (covered > 0)] = 1
        return labels


def common(records: Sequence[dict[str, Any]]) -> list[str]:
    """The attributes that are true of at least FEWEST scenes."""
    counts: dict[str, int] = {}
    for record in records:
        for name in record["attributes"]:
            counts[name] = counts.get(name, 0) + 1
    return sorted(name for name, count in counts.items() if count >= FEWEST)


def areas(crops: Floats) -> Floats:
    """Share of the picture's area, (...) from (..., 4)."""
    found: Floats = (crops[..., 2] - crops[..., 0]) * (crops[..., 3] - crops[..., 1])
    return found


def inside(box: Sequence[float], crop: Floats) -> float:
    """Share of the box's area that lies in the crop."""
    width = min(box[2], crop[2]) - max(box[0], crop[0])
    height = min(box[3], crop[3]) - max(box[1], crop[1])
    return float(max(width, 0) * max(height, 0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-9))


def said_of(entity: dict[str, Any]) -> set[str]:
    """The attributes that a thing gives its scene; those of streets/truth.py that belong to one thing."""
    names = {entity["tag"], *(group for group, members in GROUPS.items() if entity["tag"] in members)}
    found = set(names)
    for name in names:
        found |= {f"{entity['colour']} {name}"} if entity.get("colour") else set()
        found |= {f"{name} {entity['action']}"} if entity.get("action") else set()
        found |= {f"{name} {FACING[entity['facing']]}"} if entity.get("facing") else set()
    return found


def _boxes(entities: Sequence[dict[str, Any]], column: dict[str, int]) -> dict[int, list[list[float]]]:
    found: dict[int, list[list[float]]] = {}
    for entity in entities:
        for name in said_of(entity) & column.keys():
            found.setdefault(column[name], []).append(entity["box"])
    return found


def _is_count(name: str) -> bool:
    nouns = {*COUNTED, *(f"{noun}s" for noun in COUNTED), *PLURALS.values()}
    first, _, rest = name.partition(" ")
    return rest in nouns and (first.isdigit() or first == "no")


def _covered(low: float, high: float, cells: int) -> Floats:
    """Share of each of the cells 0..cells that the span covers."""
    starts = np.arange(cells)
    found: Floats = np.clip(np.minimum(high, starts + 1) - np.maximum(low, starts), 0, 1)
    return found
