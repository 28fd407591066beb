"""fuse(): what each channel found -> candidates, best first, each knowing what it owes to which channel.

A row's worth is a sum. Pictures count by how far their cosine stands above that of the 50th, in standard deviations of
those fifty: a query that one picture answers stands out, one that fits all alike does not. Words count by their mean
BM25, in parts of what a word is worth that one row alone has, times a weight that falls with what the encoder can do in
this very collection (`strength.py`): decisions/0009. Arithmetic alone; knows nothing of stores and encoders.

    python -c "from sightline.fusion import voices; print(voices('a red car', 4.2, 1000))"
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.rows import STOP_WORDS, Found
from sightline.schema import Channel

FIRST = 50
"""Rows of the vector channel that the others are compared with; a row after them gets nothing for its cosine."""
BALANCE = 5.5
"""The strength of an encoder at which to have all the words, alone of all rows, counts as one standard deviation."""

HALF = 0.5
"""The least of their weight that captions keep, however few pictures have one; the part of it that the words of names
(they tell of the occasion more than of the picture) and words read in pictures (few have any) have."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How much a channel has to say: the weight of its scores, or of their `deviations` above that of the 50th row."""

    weight: float
    deviations: bool = False


def voices(words: str, strength: float, rows: int, captioned: float = 1.0) -> Mapping[str, Voice]:
    """The voices of all channels for a query's `words`, with an encoder of this strength in a collection of `rows`.

    Where only a part of the rows is `captioned`, what is looked for may well have no caption: captions count for less.
    """
    said = [word for word in re.findall(r"\w+", words.lower()) if word not in STOP_WORDS]
    told = math.exp(BALANCE - strength) / (max(len(said), 1) * math.log(1 + max(rows, 1)))
    return {
        "vector": Voice(1.0, deviations=True),
        "text": Voice(max(captioned, HALF) * told),
        "ocr": Voice(HALF * told),
        "name": Voice(HALF * told),
    }


ALONE = voices("", strength=BALANCE, rows=1)
"""Where words and pictures need not be weighed against each other."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that some channel found, before it is a hit. `score` is the cosine, `fused` what the order is made by.

    The shares in `why` add up to 1. `alike` are the ids that were folded into it.
    """

    found: Found
    score: float
    fused: float
    why: Mapping[str, Channel]
    relevance: float | None = None
    group: str | None = None
    alike: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.found.id


def fuse(channels: Mapping[str, Sequence[Found]], heard: Mapping[str, Voice]) -> list[Candidate]:
    """All rows that any of `channels` (name -> rows, best first) found, by falling sum of what each adds to them.

    Rows of equal sum stand in the order of their cosine, then of their id, so that a query is always answered alike,
    and the first ones do not depend on how many rows were asked for.
    """
    seen: dict[str, dict[str, tuple[Found, Channel]]] = {}
    for name, rows in channels.items():
        for rank, (found, worth) in enumerate(zip(rows, _worths(rows, heard[name]), strict=True), start=1):
            seen.setdefault(found.id, {})[name] = found, Channel(rank, found.score, float(worth))
    candidates = [_candidate(by_channel) for by_channel in seen.values()]
    return sorted(candidates, key=lambda one: (-one.fused, -one.score, one.id))


def _worths(rows: Sequence[Found], voice: Voice) -> NDArray[np.float64]:
    """What each row (n,) is worth, never below 0."""
    scores = np.array([found.score for found in rows], np.float64)
    if voice.deviations and len(scores):
        first = scores[:FIRST]
        spread = float(first.std())
        scores = (scores - first[-1]) / spread if spread > 0 else np.zeros_like(scores)
    worths: NDArray[np.float64] = voice.weight * np.maximum(scores, 0.0)
    return worths


def _candidate(by_channel: Mapping[str, tuple[Found, Channel]]) -> Candidate:
    """`by_channel` holds worths where shares belong. Where all are 0, the channels share alike."""
    fused = sum(channel.share for _, channel in by_channel.values())
    first = next(iter(by_channel.values()))[0]
    why = {
        name: Channel(one.rank, one.score, one.share / fused if fused > 0 else 1 / len(by_channel))
        for name, (_, one) in by_channel.items()
    }
    return Candidate(first, first.cosine if first.cosine is not None else 0.0, fused, why)
