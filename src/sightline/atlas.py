"""Atlas: the map of a collection, kept beside its tables and brought up when its rows change (docs/map.md).

    atlases = Atlases(store)
    atlases.get()                 now: from memory, from `.sightline/TABLE.map.npz`, or made
    atlases.ready()               what there is, at once; what there is to do is done in a thread

What was laid out stays where it is as long as few rows are new: those are placed among the others. Else all are laid
out anew, from where they lay. The file can be lost at any time: it costs the time to make it again.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.placenames import Name, names
from sightline.projection import LEAST, PCA, TSNE, Positions, is_installed, place, project
from sightline.schema import Hits, Modality, Vectors
from sightline.store import Store

MOST = 10_000
"""Points on a map; of a larger collection it shows as many, drawn at random."""
FEW = 0.1
"""As long as no larger part of the points was placed instead of laid out, the map stays."""
AGAIN = 30.0
"""Seconds after which a map that could not be made is tried again."""
_FORM = 1

Tell = Callable[[float], None]
log = logging.getLogger("sightline.atlas")


@dataclass(frozen=True, slots=True)
class Point:
    """What there is to say of a picture on the map. `folder` is that of its name."""

    id: str
    uri: str
    version: str
    name: str
    text: str
    folder: str
    modality: Modality
    captured_at: datetime | None


@dataclass(frozen=True, eq=False)
class Atlas:
    """Where pictures lie: `positions` (n, 2) in [-1, 1] of `points`; what is near has vectors (n, dim) that are alike.

    `rows` is how many the collection has: more than there are points where they are a sample. `tag` names this state.
    `thumbnails` reads the small pictures of ids.
    """

    points: tuple[Point, ...]
    positions: Positions
    vectors: Vectors
    method: str
    rows: int
    names: tuple[Name, ...]
    tag: str
    thumbnails: Callable[[Sequence[str]], Mapping[str, bytes]]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def is_sample(self) -> bool:
        return self.rows > len(self.points)

    @cached_property
    def places(self) -> dict[str, int]:
        """Which point an id is."""
        return {point.id: at for at, point in enumerate(self.points)}

    def among(self, vectors: Vectors) -> Positions:
        """Where further vectors (m, dim) of either modality lie: (m, 2), NaN on an empty map."""
        return place(vectors @ self.vectors.T, self.positions)


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A search on the map: where its hits lie (k, 2), and the query (2,), None where it asks for no likeness."""

    positions: Positions
    spot: NDArray[np.float32] | None


class Atlases:
    """The map of a store as it is now. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: dict[str, Any] = {}
        self._made: Atlas | None = None
        self._making = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failed_at = -AGAIN
        self.progress = 0.0
        """How much of the work under way is done, 0 to 1."""
        self.failure = ""
        """Why there is no map, for people; "" while it can be made."""

    def get(self, tell: Tell | None = None) -> Atlas:
        """The map. `tell` is told how much of the work is done. Raises CollectionMissing, CollectionDamaged."""
        with self._making:
            key = self._key_now()
            if self._made is None or self._key != key:
                self._made = _made(self._store, self._path, key, tell or (lambda _: None))
                self._key = key
            return self._made

    def ready(self) -> Atlas | None:
        """The map as it is known, at once; None before there is one. An old one is brought up in a thread."""
        with suppress(SightlineError):
            if self._made is not None and self._key == self._key_now():
                return self._made
        if (self._thread is None or not self._thread.is_alive()) and time.monotonic() - self._failed_at > AGAIN:
            self.progress = 0.0
            self._thread = threading.Thread(target=self._work, name="sightline-map", daemon=True)
            self._thread.start()
        return self._made

    def mark(self, atlas: Atlas, found: Hits) -> Marked:
        """Where hits lie on a map; one that is not among its points is placed there."""
        positions = np.full((len(found), 2), np.nan, np.float32)
        elsewhere = [at for at, hit in enumerate(found) if hit.id not in atlas.places]
        for at, hit in enumerate(found):
            if hit.id in atlas.places:
                positions[at] = atlas.positions[atlas.places[hit.id]]
        if elsewhere:
            vectors = np.nan_to_num(self._store.vectors([found[at].id for at in elsewhere]))
            positions[elsewhere] = atlas.among(vectors)
        asked = any(not term.excluded for term in found.query.terms)
        if not asked or not len(found) or np.isnan(positions).any():
            return Marked(positions, None)
        scores = np.array([[hit.score for hit in found]], np.float32)
        return Marked(positions, place(scores, positions)[0])

    def _work(self) -> None:
        try:
            self.get(self._told)
            self.failure = ""
        except Exception as error:
            self._failed_at = time.monotonic()
            self.failure = str(error) if isinstance(error, SightlineError) else type(error).__name__
            log.exception("the map could not be made")

    def _told(self, done: float) -> None:
        self.progress = done

    @property
    def _path(self) -> Path:
        address = self._store.address
        return address.folder / ".sightline" / f"{address.table}.map.npz"

    def _key_now(self) -> dict[str, Any]:
        """What a map depends on. The head's time tells a table from one that was made anew in its place."""
        manifest = self._store.manifest
        return {
            "form": _FORM,
            "encoder": manifest.fingerprint,
            "dim": manifest.dim,
            "version": self._store.version,
            "head": os.stat(self._store.rows.head()).st_mtime_ns,
            "installed": is_installed(),
        }


# ---- in call order --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Which ids lie where, and which of them were laid out, not placed. `checks` tell whose vector has changed."""

    ids: tuple[str, ...]
    positions: Positions
    laid: NDArray[np.bool_]
    checks: NDArray[np.uint32]
    method: str


def _made(store: Store, path: Path, key: dict[str, Any], tell: Tell) -> Atlas:
    sample = store.drawn(MOST)
    checks = np.array([zlib.crc32(vector) for vector in sample.vectors], np.uint32)
    former, former_key = _read(path, key)
    layout = _brought_up(sample.ids, sample.vectors, checks, former, tell)
    if key != former_key:
        _write(path, key, layout)
    found = store.found(sample.ids)
    points = tuple(_point(ident, found[ident]) for ident in sample.ids if ident in found)
    if len(points) != len(sample.ids):  # rows that went while this was read: the next look brings it up
        at = [at for at, ident in enumerate(sample.ids) if ident in found]
        positions, vectors = layout.positions[at], sample.vectors[at]
    else:
        positions, vectors = layout.positions, sample.vectors
    called = names(positions, [point.text for point in points])
    tag = f"{zlib.crc32(positions.tobytes()):08x}{zlib.crc32(json.dumps(key).encode()):08x}"
    rows = max(len(store), len(points))
    return Atlas(points, positions, vectors, layout.method, rows, called, tag, store.thumbnails)


def _brought_up(
    ids: tuple[str, ...], vectors: Vectors, checks: NDArray[np.uint32], former: _Layout | None, tell: Tell
) -> _Layout:
    """A layout of these ids, as much like the former one as may be."""
    start, laid = _start(ids, checks, former)
    placed = ~laid
    best = TSNE if is_installed() and len(ids) >= LEAST else PCA
    if former is None or former.method != best:
        start[:], placed[:] = np.nan, True
    if not placed.all() and placed.sum() <= FEW * len(ids):
        new = np.isnan(start[:, 0])
        start[new] = place(vectors[new] @ vectors[~new].T, start[~new])
        return _Layout(ids, start, laid, checks, best)
    made = project(vectors, start=None if np.isnan(start).all() else start, tell=tell)
    return _Layout(ids, made.positions, np.ones(len(ids), bool), checks, made.method)


def _start(
    ids: Sequence[str], checks: NDArray[np.uint32], former: _Layout | None
) -> tuple[Positions, NDArray[np.bool_]]:
    """Where each id lay, NaN for one that is new or has another vector, and whether it was laid out there."""
    start, laid = np.full((len(ids), 2), np.nan, np.float32), np.zeros(len(ids), bool)
    known = {ident: at for at, ident in enumerate(former.ids)} if former else {}
    for place_, ident in enumerate(ids):
        at = known.get(ident)
        if former is not None and at is not None and former.checks[at] == checks[place_]:
            start[place_], laid[place_] = former.positions[at], former.laid[at]
    return start, laid


def _point(ident: str, found: Any) -> Point:
    folder = found.name.replace("\\", "/").rpartition("/")[0]
    return Point(ident, found.uri, found.version, found.name, found.text, folder, found.modality, found.captured_at)


# ---- the file -------------------------------------------------------------------------------------------------


def _read(path: Path, key: dict[str, Any]) -> tuple[_Layout | None, dict[str, Any]]:
    """The layout of the file and its key; None for what is not there, torn, or of another encoder."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:  # numpy leaves a torn one open
            known = json.loads(str(stored["key"]))
            layout = _Layout(
                tuple(stored["ids"].tolist()),
                stored["positions"].astype(np.float32),
                stored["laid"].astype(bool),
                stored["checks"].astype(np.uint32),
                str(stored["method"]),
            )
    except (OSError, ValueError, KeyError, EOFError, IndexError, TypeError, BadZipFile, zlib.error):
        return None, {}
    n = len(layout.ids)
    whole = layout.positions.shape == (n, 2) and len(layout.laid) == n == len(layout.checks)
    is_ours = isinstance(known, dict) and all(known.get(name) == key[name] for name in ("form", "encoder", "dim"))
    return (layout, known) if whole and is_ours and np.isfinite(layout.positions).all() else (None, {})


def _write(path: Path, key: dict[str, Any], layout: _Layout) -> None:
    """Whole or not at all; a folder that cannot be written to costs the time of the next process, no more."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                np.savez(
                    file,
                    key=np.array(json.dumps(key)),
                    ids=np.array(layout.ids, dtype=np.str_),
                    positions=layout.positions,
                    laid=layout.laid,
                    checks=layout.checks,
                    method=np.array(layout.method),
                )
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
