"""How much an encoder can do in one collection: where pictures stand when their own captions are asked for.

Some captions are drawn and encoded, and the cosine of each with its own picture is compared with those of the same
words with other pictures: the strength is the mean of how many standard deviations it lies above their mean. Chance
gives 0; measured were about 1 (the bundled encoder on photographs) to above 4 (decisions/0009). The fusion gives words
the less weight the more the pictures themselves can tell.

It is measured when a search first needs it, at most 64 captions encoded, and kept in `.sightline/TABLE.strength`. The
file may be lost at any time.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.encoders import Encoder
from sightline.schema import Vectors
from sightline.store import Store

USUAL = 2.8
"""Strength taken for granted where there are too few captions to measure it."""
DOUBT = 8
"""So many captions' worth of USUAL is mixed into what is measured."""
LEAST, MOST = 16, 64
"""Captions that are needed, and that are enough: with 64 a strength is off by 0.1 to 0.2."""
SAMPLE = 512


@dataclass(frozen=True, slots=True)
class Measured:
    """A strength, what it was measured with (`encoder` is a fingerprint) and on: `rows` at a `version`.

    `captions` were asked; `captioned` is the share of rows that have one.
    """

    strength: float
    captions: int
    captioned: float
    encoder: str
    rows: int
    version: int


_held: weakref.WeakKeyDictionary[Store, Measured] = weakref.WeakKeyDictionary()


def measured(store: Store, encoder: Callable[[], Encoder]) -> Measured:
    """The strength of `encoder` in `store`: as it was measured before, or now where that holds no longer.

    It holds until the collection has doubled or halved; where captions were few, until the next change.
    """
    rows, version = len(store), store.version
    path = store.address.folder / ".sightline" / f"{store.address.table}.strength"
    fingerprint = store.manifest.fingerprint
    for known in (_held.get(store), _read(path)):
        if known is not None and _holds(known, fingerprint, rows, version):
            _held[store] = known
            return known
    now = Measured(*_measure(store, encoder), fingerprint, rows, version)
    _held[store] = now
    _write(path, now)
    return now


def strength(captions: Vectors, own: NDArray[np.intp], pictures: Vectors) -> float:
    """Mean standard score of each caption's own picture, with DOUBT captions of USUAL strength mixed in.

    captions (n, dim), pictures (m, dim); own (n,) rows of the latter. A caption to which all pictures are alike has 0.
    """
    cosines = captions @ pictures.T  # (n, m)
    spread = cosines.std(axis=1)
    above = cosines[np.arange(len(captions)), own] - cosines.mean(axis=1)
    each = np.divide(above, spread, out=np.zeros_like(above), where=spread > 1e-6)  # (n,)
    return (float(each.sum()) + DOUBT * USUAL) / (len(each) + DOUBT)


def _measure(store: Store, encoder: Callable[[], Encoder]) -> tuple[float, int, float]:
    """(strength, number of captions asked, share of rows captioned). The same rows give the same draw."""
    drawn = store.drawn(SAMPLE)
    pictures = drawn.vectors.copy()
    lines = [text.split("\n", 1)[0].strip() for text in drawn.texts]
    there = np.isfinite(pictures.sum(axis=1))
    own = np.array([at for at, line in enumerate(lines) if line and there[at]][:MOST], np.intp)
    captioned = sum(map(bool, lines)) / max(len(lines), 1)
    if len(own) < LEAST:
        return USUAL, len(own), captioned
    asked = encoder().encode_text([lines[at] for at in own])
    pictures[~there] = 0
    return strength(asked, own, pictures), len(own), captioned


def _holds(known: Measured, fingerprint: str, rows: int, version: int) -> bool:
    if known.encoder != fingerprint or known.version > version:
        return False
    if known.captions < MOST and known.version != version:
        return False
    return known.rows <= 2 * rows and rows <= 2 * known.rows


def _read(path: Path) -> Measured | None:
    with suppress(OSError, ValueError, TypeError):
        known = Measured(**json.loads(path.read_text("utf-8")))
        return known if np.isfinite(known.strength + known.captioned) else None
    return None


def _write(path: Path, found: Measured) -> None:
    """A folder that cannot be written to is no reason to fail: it is measured again by the next process."""
    with suppress(OSError):
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(json.dumps(asdict(found)), "utf-8")
        aside.replace(path)
