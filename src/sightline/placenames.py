"""Place names of a map: what the captions of one region say more often than all captions do.

    names(positions, texts)        [Name("stop sign", x, y, level=0, pictures=41), …]

Counts words and pairs of neighbouring words, in any language with spaces between them. No model, no list of topics.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.projection import Positions

RADII = (0.26, 0.13, 0.065)
"""How far a region reaches on each level, of a map that is 2 wide."""
MOST = (8, 24, 60)
CANDIDATES = 1_500
LEAST_PICTURES, LEAST_SHARE = 4, 0.35
SMALL = frozenset(
    re.findall(
        "[a-z]+",
        """a about after along an and are around as at be before behind beside between but by down each for from has
        have in into is it its looking near next no not of off on one onto or other out over some that the their then
        there these they this through to two under up very was were while will with""",
    )
)
_WORD = re.compile(r"[^\W\d_]{2,}(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Name:
    """A name and where it stands. `level` 0 is a country, 1 a county, 2 a village; `pictures` are in its region."""

    text: str
    x: float
    y: float
    level: int
    pictures: int


def names(positions: Positions, texts: Sequence[str]) -> tuple[Name, ...]:
    """The names of all levels, largest regions first. Positions (n, 2) in [-1, 1], a text for each, which may be ""."""
    said = [_said(text) for text in texts]
    overall = Counter(term for terms in said for term in terms)
    captioned = sum(1 for terms in said if terms)
    found: list[Name] = []
    for level, (radius, most) in enumerate(zip(RADII, MOST, strict=True)):
        for inside in _regions(positions, radius, most):
            text = _called([said[at] for at in inside], overall, captioned)
            x, y = np.median(positions[inside], axis=0).tolist()
            if text and not any(_says(one, text) and _near(one, x, y) for one in found):
                found.append(Name(text, round(x, 4), round(y, 4), level, len(inside)))
    return tuple(found)


def _said(text: str) -> frozenset[str]:
    """The words of a text but small ones, and its pairs of words that stand together."""
    found: set[str] = set()
    for line in text.casefold().split("\n"):
        before = ""
        for word in _WORD.findall(line):
            if word in SMALL:
                before = ""
                continue
            found.add(word)
            if before:
                found.add(f"{before} {word}")
            before = word
    return frozenset(found)


def _regions(positions: Positions, radius: float, most: int) -> list[NDArray[np.intp]]:
    """Who lies in the densest circles, none of which is in the middle of another; densest first."""
    if not len(positions):
        return []
    step = max(1, len(positions) // CANDIDATES)
    middles = positions[::step]  # (c, 2)
    squares = (positions**2).sum(axis=1)
    far = (middles**2).sum(axis=1)[:, None] + squares[None] - 2 * middles @ positions.T  # (c, n), squared
    inside = far <= radius**2
    counts = inside.sum(axis=1)
    chosen: list[int] = []
    for at in np.argsort(-counts, kind="stable").tolist():
        if counts[at] < LEAST_PICTURES or len(chosen) == most:
            break
        apart = ((middles[chosen] - middles[at]) ** 2).sum(axis=1)
        if not chosen or apart.min() > (1.8 * radius) ** 2:
            chosen.append(at)
    return [np.flatnonzero(inside[at]) for at in chosen]


def _called(said: Sequence[frozenset[str]], overall: Counter[str], captioned: int) -> str:
    """One or two terms that most here have and few elsewhere; "" where nothing stands out."""
    here = Counter(term for terms in said for term in terms)
    spoken = sum(1 for terms in said if terms)
    scored = []
    for term, count in here.items():
        share, usual = count / max(spoken, 1), overall[term] / captioned
        if count >= LEAST_PICTURES and share >= LEAST_SHARE and share > 1.25 * usual:
            scored.append((share * math.log(share / usual) * (1.25 if " " in term else 1.0), term))
    scored.sort(key=lambda one: (-one[0], one[1]))
    if not scored:
        return ""
    best, first = scored[0]
    second = next((term for _, term in scored[1:] if not set(term.split()) & set(first.split())), "")
    strength = next((score for score, term in scored if term == second), 0.0)
    return f"{first}, {second}" if strength > 0.6 * best else first


def _says(one: Name, text: str) -> bool:
    """Whether a name says all of `text`, in any order."""
    return set(re.split(", | ", text)) <= set(re.split(", | ", one.text))


def _near(one: Name, x: float, y: float) -> bool:
    return math.hypot(one.x - x, one.y - y) < 2 * RADII[one.level]
